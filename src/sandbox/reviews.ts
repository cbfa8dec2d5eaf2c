import { randomBytes, randomUUID } from "node:crypto";
import { type Attributes, isAllowed, type Tokens, type User } from "./auth.ts";
import { type Call, readJsonBody, sendJson } from "./call.ts";
import { badRequest } from "./errors.ts";
import { isObject, type Json, type JsonObject, listAt, objectAt, textAt } from "./json.ts";
import type { Target } from "./request-info.ts";
import { apiVersionOf, type Resource } from "./resources.ts";

/** The kinds that are only answered, never kept. */
export async function serveReview(call: Call, resource: Resource, tokens: Tokens): Promise<void> {
  const body = await readJsonBody(call);
  if (!isObject(body)) throw badRequest("the review has no body");
  const spec = objectAt(body, "spec");
  sendJson(call, 201, {
    kind: resource.kind,
    apiVersion: apiVersionOf(resource),
    metadata: { creationTimestamp: null },
    ...(Object.keys(spec).length > 0 && { spec }),
    status: statusOf(call.user, resource, spec, tokens),
  });
}

function statusOf(user: User, resource: Resource, spec: JsonObject, tokens: Tokens): JsonObject {
  switch (resource.kind) {
    case "SelfSubjectReview":
      return { userInfo: userInfo(user) };
    case "SelfSubjectRulesReview":
      return rulesOf(user);
    case "SelfSubjectAccessReview":
      return decision(user, spec);
    case "TokenReview":
      return tokenStatus(tokens.get(textAt(spec, "token")));
    default:
      return decision({ name: textAt(spec, "user"), groups: listAt(spec, "groups").map(String) }, spec);
  }
}

function userInfo(user: User): JsonObject {
  return { username: user.name, ...(user.uid !== undefined && { uid: user.uid }), groups: [...user.groups] };
}

function decision(user: User, spec: JsonObject): JsonObject {
  return isAllowed(user, attributesOf(spec)) ? { allowed: true } : { allowed: false };
}

function attributesOf(spec: JsonObject): Attributes {
  const path = textAt(spec, "nonResourceAttributes", "path");
  if (path !== "") return { path, verb: textAt(spec, "nonResourceAttributes", "verb") };
  const asked: Json = objectAt(spec, "resourceAttributes");
  return {
    verb: textAt(asked, "verb"),
    group: textAt(asked, "group"),
    plural: textAt(asked, "resource"),
    subresource: textAt(asked, "subresource"),
  };
}

function rulesOf(user: User): JsonObject {
  const all = isAllowed(user, { verb: "*", plural: "*" });
  const resourceRules = all
    ? [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }]
    : [
        {
          verbs: ["create"],
          apiGroups: ["authorization.k8s.io"],
          resources: ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
        },
      ];
  const nonResourceRules = all
    ? [{ verbs: ["*"], nonResourceURLs: ["*"] }]
    : [{ verbs: ["get"], nonResourceURLs: ["/healthz", "/livez", "/readyz", "/version"] }];
  return { resourceRules, nonResourceRules, incomplete: false };
}

function tokenStatus(user: User | undefined): JsonObject {
  return user === undefined ? { authenticated: false } : { authenticated: true, user: userInfo(user) };
}

/** `serviceaccounts/NAME/token`: a new token, good until the sandbox ends. */
export async function serveTokenRequest(
  call: Call,
  target: Target,
  tokens: Map<string, User>,
): Promise<void> {
  const body = await readJsonBody(call);
  const token = randomBytes(32).toString("base64url");
  const seconds = Number(textAt(body, "spec", "expirationSeconds") || 3600);
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${target.namespace}`];
  tokens.set(token, {
    name: `system:serviceaccount:${target.namespace}:${target.name}`,
    groups,
    uid: randomUUID(),
  });
  sendJson(call, 201, {
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    metadata: { name: target.name, namespace: target.namespace },
    spec: { audiences: listAt(body, "spec", "audiences"), expirationSeconds: seconds },
    status: { token, expirationTimestamp: new Date(Date.now() + seconds * 1000).toISOString() },
  });
}
