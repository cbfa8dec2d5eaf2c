import { type KubectlCase, onlyNew, onlyOld, withoutHttp2 } from "./kubectl-case.ts";

export const people: readonly KubectlCase[] = [
  { name: "auth can-i: yes", args: ["auth", "can-i", "delete", "pods"], stdout: "yes\n" },
  {
    name: "auth can-i: no",
    args: ["auth", "can-i", "delete", "pods"],
    user: "viewer",
    code: 1,
    stdout: /^no/,
  },
  {
    name: "auth can-i of a path",
    args: ["auth", "can-i", "get", "/readyz"],
    user: "viewer",
    stdout: "yes\n",
  },
  { name: "auth can-i --list", args: ["auth", "can-i", "--list"], stdout: /^\*\.\* /m },
  {
    name: "auth whoami",
    versions: onlyNew,
    args: ["auth", "whoami"],
    user: "viewer",
    stdout: /^Username +system:serviceaccount:default:robot$/m,
  },
  { name: "a viewer may read", args: ["get", "pods", "-o", "name"], user: "viewer", stdout: "pod/web\n" },
  {
    name: "a viewer may not delete",
    args: ["delete", "pod", "web"],
    user: "viewer",
    code: 1,
    stderr:
      'Error from server (Forbidden): pods "web" is forbidden: User "system:serviceaccount:default:robot" cannot delete resource "pods" in API group "" in the namespace "default"\n',
  },
  {
    name: "a viewer may not exec",
    args: ["exec", "web", "--", "true"],
    user: "viewer",
    code: 1,
    stderr: /^Error from server \(Forbidden\): pods "web" is forbidden: .* "pods\/exec"/,
  },
  {
    name: "a viewer may not forward",
    args: ["port-forward", "pod/web", ":80"],
    user: "viewer",
    code: 1,
    stderr: /error upgrading connection: pods "web" is forbidden: .* "pods\/portforward"/,
  },
  {
    name: "a stranger is not let in",
    args: ["get", "pods"],
    user: "stranger",
    code: 1,
    stderr: /error: You must be logged in to the server/,
  },
  {
    name: "a client certificate is a user",
    args: ["auth", "can-i", "delete", "pods"],
    user: "certificate",
    stdout: "yes\n",
  },
  { name: "a client certificate may exec", args: ["exec", "web", "--", "true"], user: "certificate" },
  {
    name: "--as another",
    args: ["get", "pods", "--as=bob", "--as-group=guests", "--as-group=sandbox:viewers", "-o", "name"],
    stdout: "pod/web\n",
  },
  {
    name: "--as another who may not",
    args: ["get", "pods", "--as=bob"],
    code: 1,
    stderr: /User "bob" cannot list resource "pods"/,
  },
  { name: "get by HTTP/1.1", args: ["get", "pods", "-o", "name"], env: withoutHttp2, stdout: "pod/web\n" },
  {
    name: "the old one knows no whoami",
    versions: onlyOld,
    args: ["auth", "whoami"],
    code: 1,
    stderr: /unknown command "whoami"/,
  },
];
