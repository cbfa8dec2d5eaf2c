import assert from "node:assert/strict";
import { test } from "node:test";
import { type RequestInfo, requestInfo } from "./request-info.ts";

/** verb group version namespace resource subresource name; `-` is empty. */
function brief(info: RequestInfo): string {
  const fields = [
    info.verb,
    info.apiGroup,
    info.apiVersion,
    info.namespace,
    info.resource,
    info.subresource,
    info.name,
  ];
  return fields.map((field) => field || "-").join(" ");
}

// The cases of requestinfo_test.go in kube-apiserver, and the ones its rules imply.
const RESOURCES: readonly (readonly [method: string, target: string, info: string])[] = [
  ["GET", "/api/v1/namespaces", "list - v1 - namespaces - -"],
  ["GET", "/api/v1/namespaces/other", "get - v1 other namespaces - other"],
  ["GET", "/api/v1/namespaces/other/pods", "list - v1 other pods - -"],
  ["GET", "/api/v1/namespaces/other/pods/foo", "get - v1 other pods - foo"],
  ["HEAD", "/api/v1/namespaces/other/pods/foo", "get - v1 other pods - foo"],
  ["GET", "/api/v1/pods", "list - v1 - pods - -"],
  ["HEAD", "/api/v1/pods", "list - v1 - pods - -"],
  ["PATCH", "/api/v1/namespaces/new-namespace", "patch - v1 new-namespace namespaces - new-namespace"],
  ["GET", "/api/v1/proxy/namespaces/other/pods/foo", "proxy - v1 other pods - foo"],
  ["GET", "/api/v1/proxy/namespaces/other/pods/foo/subpath/not/a/subresource", "proxy - v1 other pods - foo"],
  ["GET", "/api/v1/watch/pods", "watch - v1 - pods - -"],
  ["GET", "/api/v1/pods?watch=true", "watch - v1 - pods - -"],
  ["GET", "/api/v1/pods?watch=false", "list - v1 - pods - -"],
  ["GET", "/api/v1/pods?watch=FALSE", "list - v1 - pods - -"],
  ["GET", "/api/v1/pods?watch=", "watch - v1 - pods - -"],
  ["GET", "/api/v1/pods?watch", "watch - v1 - pods - -"],
  ["GET", "/api/v1/pods?watch=no", "watch - v1 - pods - -"],
  ["GET", "/api/v1/pods?watch=0&watch=1", "list - v1 - pods - -"],
  ["GET", "/api/v1/pods?w%61tch=1", "watch - v1 - pods - -"],
  ["GET", "/api/v1/watch/namespaces/other/pods", "watch - v1 other pods - -"],
  ["GET", "/api/v1/namespaces/other/pods?watch=1", "watch - v1 other pods - -"],
  ["GET", "/api/v1/namespaces/other/pods?watch=0", "list - v1 other pods - -"],
  ["GET", "/api/v1/namespaces/other/pods/web?watch=true", "get - v1 other pods - web"],
  ["GET", "/api/v1/namespaces/other/pods/foo/status", "get - v1 other pods status foo"],
  ["GET", "/api/v1/namespaces/other/pods/foo/proxy/subpath", "get - v1 other pods proxy foo"],
  ["PUT", "/api/v1/namespaces/other/finalize", "update - v1 other namespaces finalize other"],
  ["PUT", "/api/v1/namespaces/other/status", "update - v1 other namespaces status other"],
  ["PATCH", "/api/v1/namespaces/other/pods/foo", "patch - v1 other pods - foo"],
  ["DELETE", "/api/v1/namespaces/other/pods/foo", "delete - v1 other pods - foo"],
  ["POST", "/api/v1/namespaces/other/pods", "create - v1 other pods - -"],
  ["DELETE", "/api/v1/nodes", "deletecollection - v1 - nodes - -"],
  ["DELETE", "/api/v1/namespaces", "deletecollection - v1 - namespaces - -"],
  ["DELETE", "/api/v1/namespaces/other/pods", "deletecollection - v1 other pods - -"],
  ["DELETE", "/apis/extensions/v1/namespaces/other/pods", "deletecollection extensions v1 other pods - -"],
  ["POST", "/apis/extensions/v1/namespaces/other/pods", "create extensions v1 other pods - -"],
  ["POST", "/apis/extensions/v1beta3/namespaces/other/pods", "create extensions v1beta3 other pods - -"],
  ["GET", "/api/version/resource", "list - version - resource - -"],
  ["GET", "/apis/group/version/resource/name/subresource", "get group version - resource subresource name"],
  ["GET", "/apis/batch/v1/job", "list batch v1 - job - -"],
  ["GET", "/apis/batch/v1/job/foo/scale", "get batch v1 - job scale foo"],
  [
    "GET",
    "/apis/group/version/resource?fieldSelector=metadata.name=name1",
    "list group version - resource - name1",
  ],
  [
    "GET",
    "/apis/group/version/resource?watch=true&fieldSelector=metadata.name=name1",
    "watch group version - resource - name1",
  ],
  ["GET", "/apis/g/v/r?fieldSelector=metadata.name%3D%3Dname1", "list g v - r - name1"],
  ["GET", "/apis/g/v/r?fieldSelector=metadata.name%3Dname1%2Cspec.nodeName%3Dx", "list g v - r - name1"],
  ["GET", "/apis/g/v/r?fieldSelector=metadata.name!=name1", "list g v - r - -"],
  ["GET", "/apis/g/v/r?fieldSelector=foo=bar", "list g v - r - -"],
  ["GET", "/apis/g/v/r?fieldSelector=metadata.name=name1,foo", "list g v - r - -"],
  ["GET", "/apis/g/v/r?fieldSelector=metadata.name=name1,foo&watch=true", "watch g v - r - -"],
  ["GET", "/apis/g/v/r?fieldSelector=metadata.name=name1,foo&watch=false", "list g v - r - -"],
  ["GET", "/apis/g/v/r?fieldSelector=metadata.name=../x", "list g v - r - -"],
  ["GET", "/apis/g/v/r?fieldSelector=metadata.name=name1&limit=many", "list g v - r - -"],
  ["DELETE", "/apis/g/v/r?fieldSelector=metadata.name=name1", "deletecollection g v - r - -"],
  ["OPTIONS", "/api/v1/pods", "- - v1 - pods - -"],
  ["get", "/api/v1/pods", "- - v1 - pods - -"],
  ["GET", "/api/v1/pods/", "list - v1 - pods - -"],
  ["GET", "//api/v1/pods", "list - v1 - pods - -"],
  ["GET", "/api/v1//pods", "get - v1 - - - pods"],
  ["GET", "/%61pi/v1/pods", "list - v1 - pods - -"],
  ["GET", "/api/v1/clusterroles/system%3Anode", "get - v1 - clusterroles - system:node"],
  ["GET", "https://prod.example.com:6443/api/v1/pods?watch=1", "watch - v1 - pods - -"],
  ["GET", "/api/v1/watch", "get - v1 - - - -"],
];

for (const [method, target, expected] of RESOURCES) {
  test(`${method} ${target}`, () => {
    const info = requestInfo(method, target);
    assert.equal(brief(info), expected);
    assert.ok(info.isResourceRequest);
  });
}

const OTHERS: readonly string[] = [
  "/",
  "",
  "/api",
  "/api/version/",
  "/api/version",
  "/apis/group/version/",
  "/apis/version/resource",
  "/apis/extensions/v1beta1",
  "/badprefix/version/resource",
  "/not-api/version/resource",
  "/version",
  "/openapi/v3/apis/apps/v1?hash=1",
];

for (const target of OTHERS) {
  test(`${target || "(empty)"} is no resource`, () => {
    const info = requestInfo("GET", target);
    assert.equal(info.isResourceRequest, false);
    assert.equal(info.verb, "get");
    assert.equal(info.resource, "");
  });
}

const LONG_RUNNING: readonly (readonly [method: string, target: string, longRunning: boolean])[] = [
  ["GET", "/api/v1/pods?watch=true", true],
  ["GET", "/api/v1/watch/pods", true],
  ["POST", "/api/v1/namespaces/x/pods/web/exec?command=sh", true],
  ["GET", "/api/v1/namespaces/x/pods/web/exec?command=sh", true],
  ["GET", "/api/v1/namespaces/x/pods/web/attach", true],
  ["GET", "/api/v1/namespaces/x/pods/web/portforward", true],
  ["GET", "/api/v1/namespaces/x/pods/web/log", true],
  ["GET", "/api/v1/namespaces/x/services/web/proxy/index.html", true],
  ["GET", "/debug/pprof/profile", true],
  ["GET", "/api/v1/pods", false],
  ["GET", "/api/v1/namespaces/x/pods/web/status", false],
  ["GET", "/healthz", false],
];

for (const [method, target, longRunning] of LONG_RUNNING) {
  test(`${method} ${target} is ${longRunning ? "" : "not "}long-running`, () => {
    assert.equal(requestInfo(method, target).longRunning, longRunning);
  });
}
