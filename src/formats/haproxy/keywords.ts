/**
 * What HAProxy knows, so that a misspelt word and one that the native engine lacks are told apart.
 * From the manual of 2.6 (§3, §4.1, §5) and `haproxy -dKall`, with what 2.8 to 3.3 added near it.
 */

/** Sections whose lines are read. */
export const READ_SECTIONS = ["global", "defaults", "frontend", "backend", "listen"] as const;

export const OTHER_SECTIONS = words(`
  acme cache crt-store fcgi-app http-errors log-forward log-profile mailers peers program resolvers ring traces userlist`);

export const GLOBAL_KEYWORDS = words(`
  51degrees-cache-size 51degrees-data-file 51degrees-property-name-list 51degrees-property-separator busy-polling ca-base
  chroot close-spread-time cluster-secret cpu-map crt-base daemon debug default-path description deviceatlas-json-file
  deviceatlas-log-level deviceatlas-properties-cookie deviceatlas-separator expose-deprecated-directives
  expose-experimental-directives external-check fd-hard-limit force-cfg-parser-pause gid grace group
  h1-accept-payload-with-any-method h1-case-adjust h1-case-adjust-file h2-workaround-bogus-websocket-clients hard-stop-after
  harden.reject-privileged-ports.quic harden.reject-privileged-ports.tcp httpclient.resolvers.disabled
  httpclient.resolvers.id httpclient.resolvers.prefer httpclient.retries httpclient.ssl.ca-file httpclient.ssl.verify
  httpclient.timeout.connect insecure-fork-wanted insecure-setuid-wanted issuers-chain-path limited-quic localpeer log
  log-send-hostname log-tag lua-load lua-load-per-thread lua-prepend-path master-worker max-spread-checks maxcompcpuusage
  maxcomprate maxconn maxconnrate maxpipes maxsessrate maxsslconn maxsslrate maxzlibmem mworker-max-reloads nbproc nbthread
  no-memory-trimming no-quic node noepoll noevports nogetaddrinfo nokqueue nopoll noreuseport nosplice numa-cpu-mapping
  pidfile pp2-never-send-local prealloc-fd presetenv profiling.memory profiling.tasks quiet resetenv server-state-base
  server-state-file set-dumpable set-var set-var-fmt setcap setenv spread-checks ssl-default-bind-ciphers
  ssl-default-bind-ciphersuites ssl-default-bind-client-sigalgs ssl-default-bind-curves ssl-default-bind-options
  ssl-default-bind-sigalgs ssl-default-server-ciphers ssl-default-server-ciphersuites ssl-default-server-client-sigalgs
  ssl-default-server-curves ssl-default-server-options ssl-default-server-sigalgs ssl-dh-param-file ssl-engine
  ssl-load-extra-del-ext ssl-load-extra-files ssl-mode-async ssl-propquery ssl-provider ssl-provider-path
  ssl-security-level ssl-server-verify ssl-skip-self-issued-ca stats stats-file strict-limits thread-group
  thread-groups tune.buffers.limit tune.buffers.reserve tune.bufsize tune.comp.maxlevel tune.disable-fast-forward
  tune.fail-alloc tune.fd.edge-triggered tune.h1.zero-copy-fwd-recv tune.h1.zero-copy-fwd-send
  tune.h2.be.glitches-threshold tune.h2.be.initial-window-size tune.h2.be.max-concurrent-streams
  tune.h2.fe.glitches-threshold tune.h2.fe.initial-window-size tune.h2.fe.max-concurrent-streams
  tune.h2.fe.max-total-streams tune.h2.header-table-size tune.h2.initial-window-size tune.h2.max-concurrent-streams
  tune.h2.max-frame-size tune.http.cookielen tune.http.logurilen tune.http.maxhdr tune.idle-pool.shared tune.idletimer
  tune.listener.default-shards tune.listener.multi-queue tune.lua.bool-sample-conversion tune.lua.burst-timeout
  tune.lua.forced-yield tune.lua.log.loggers tune.lua.log.stderr tune.lua.maxmem tune.lua.service-timeout
  tune.lua.session-timeout tune.lua.task-timeout tune.maxaccept tune.maxpollevents tune.maxrewrite tune.max-checks-per-thread
  tune.memory.hot-size tune.pattern.cache-size tune.peers.max-updates-at-once tune.pipesize tune.pool-high-fd-ratio
  tune.pool-low-fd-ratio tune.quic.frontend.conn-tx-buffers.limit tune.quic.frontend.max-idle-timeout
  tune.quic.frontend.max-streams-bidi tune.quic.max-frame-loss tune.quic.retry-threshold tune.rcvbuf.backend
  tune.rcvbuf.client tune.rcvbuf.frontend tune.rcvbuf.server tune.recv_enough tune.ring.queues tune.runqueue-depth
  tune.sched.low-latency tune.sndbuf.backend tune.sndbuf.client tune.sndbuf.frontend tune.sndbuf.server tune.ssl.cachesize
  tune.ssl.capture-buffer-size tune.ssl.capture-cipherlist-size tune.ssl.default-dh-param tune.ssl.force-private-cache
  tune.ssl.hard-maxrecord tune.ssl.keylog tune.ssl.lifetime tune.ssl.maxrecord tune.ssl.ocsp-update.maxdelay
  tune.ssl.ocsp-update.mindelay tune.ssl.ssl-ctx-cache-size tune.stick-counters tune.vars.check-max-size
  tune.vars.global-max-size tune.vars.proc-max-size tune.vars.reqres-max-size tune.vars.sess-max-size
  tune.vars.txn-max-size tune.zlib.memlevel tune.zlib.windowsize uid ulimit-n unix-bind unsetenv user wurfl-cache-size
  wurfl-data-file wurfl-information-list wurfl-information-list-separator zero-warning`);

/** Where a keyword may stand: `D`efaults, `F`rontend, `L`isten, `B`ackend (manual §4.1); `d`: only in named defaults. */
export const PROXY_KEYWORDS = places(`
  acl:dFLB backlog:DFL balance:DLB bind:FL bind-process:DFLB capture:FL clitcpka-cnt:DFL clitcpka-idle:DFL
  clitcpka-intvl:DFL compression:DFLB cookie:DLB declare:FL default-server:DLB default_backend:DFL description:FLB
  disabled:DFLB dispatch:LB email-alert:DFLB enabled:DFLB errorfile:DFLB errorfiles:DFLB errorloc:DFLB errorloc302:DFLB
  errorloc303:DFLB error-log-format:DFL external-check:DLB filter:FLB force-be-switch:FL force-persist:LB fullconn:DLB
  guid:FLB hash-balance-factor:DLB hash-key:LB hash-preserve-affinity:DLB hash-type:DLB http-after-response:dFLB
  http-check:DLB http-drop-request-trailers:B http-drop-response-trailers:F http-error:DFLB http-request:dFLB
  http-response:dFLB http-reuse:DLB http-send-name-header:DLB id:FLB ignore-persist:LB load-server-state-from-file:DLB
  log:DFLB log-format:DFL log-format-sd:DFL log-steps:DFL log-tag:DFLB max-keep-alive-queue:DLB max-session-srv-conns:DFL
  maxconn:DFL mode:DFLB monitor:FL monitor-uri:DFL option:DFLB persist:DLB quic-initial:dFL rate-limit:DFL redirect:FLB
  retries:DLB retry-on:DLB server:LB server-state-file-name:DLB server-template:LB source:DLB srvtcpka-cnt:DLB
  srvtcpka-idle:DLB srvtcpka-intvl:DLB stats:DFLB stick:LB stick-table:FLB tcp-check:DLB tcp-request:dFLB
  tcp-response:dLB timeout:DFLB transparent:DLB unique-id-format:DFL unique-id-header:DFL use_backend:FL
  use-fcgi-app:LB use-server:LB clitimeout:DFLB contimeout:DFLB srvtimeout:DFLB`);

/** Options and where they may stand; `*`: `no option` and `default option` are allowed. */
export const OPTIONS = places(`
  abortonclose:DLB* accept-invalid-http-request:DFL* accept-invalid-http-response:DLB* accept-unsafe-violations-in-http-request:DFL*
  accept-unsafe-violations-in-http-response:DLB* allbackups:DLB* assume-rfc6587-ntf:DFL* checkcache:DLB* clitcpka:DFL*
  contstats:DFL* disable-h2-upgrade:DFL* dontlog-normal:DFL* dontlognull:DFL* dontparse-log:DFL* external-check:DLB
  forwarded:DLB forwardfor:DFLB h1-case-adjust-bogus-client:DFL* h1-case-adjust-bogus-server:DLB* http-buffer-request:DFLB*
  http-drop-request-trailers:DLB* http-drop-response-trailers:DFL* http-ignore-probes:DFL* http-keep-alive:DFLB*
  http-no-delay:DFLB* http-pretend-keepalive:DLB* http-restrict-req-hdr-names:DFLB http-server-close:DFLB*
  http-use-htx:DFLB* http-use-proxy-header:DFL* httpchk:DLB httpclose:DFLB* httplog:DFL httpslog:DFL
  idle-close-on-response:DFL* independent-streams:DFLB* ldap-check:DLB log-health-checks:DLB* log-separate-errors:DFL*
  logasap:DFL* mysql-check:DLB nolinger:DFLB* originalto:DFLB persist:DLB* pgsql-check:DLB prefer-last-server:DLB*
  redis-check:DLB redispatch:DLB* smtpchk:DLB socket-stats:DFL* splice-auto:DFLB* splice-request:DFLB*
  splice-response:DFLB* spop-check:DLB srvtcpka:DLB* ssl-hello-chk:DLB tcp-check:DLB tcp-smart-accept:DFL*
  tcp-smart-connect:DLB* tcpka:DFLB tcplog:DFLB transparent:DLB* use-small-buffers:DFLB*`);

/** Parameters of `bind` and how many words each takes. */
export const BIND_PARAMS = counts(`
  accept-netscaler-cip:1 accept-proxy:0 allow-0rtt:0 alpn:1 backlog:1 ca-file:1 ca-ignore-err:1 ca-sign-file:1
  ca-sign-pass:1 ca-verify-file:1 cc:1 ciphers:1 ciphersuites:1 client-sigalgs:1 crl-file:1 crt:1 crt-ignore-err:1
  crt-list:1 curves:1 default-crt:1 defer-accept:0 ecdhe:1 expose-fd:1 force-sslv3:0 force-strict-sni:0 force-tlsv10:0
  force-tlsv11:0 force-tlsv12:0 force-tlsv13:0 generate-certificates:0 gid:1 group:1 guid-prefix:1 id:1
  idle-ping:1 interface:1 level:1 maxconn:1 mode:1 mss:1 name:1 namespace:1 nbconn:1 nice:1 no-alpn:0 no-ca-names:0
  no-sslv3:0 no-strict-sni:0 no-tls-tickets:0 no-tlsv10:0 no-tlsv11:0 no-tlsv12:0 no-tlsv13:0 npn:1 ocsp-update:1
  prefer-client-ciphers:0 process:1 proto:1 severity-output:1 shards:1 sigalgs:1 ssl:0 ssl-max-ver:1 ssl-min-ver:1
  strict-sni:0 tcp-md5sig:1 tcp-ss:1 tcp-ut:1 tfo:0 thread:1 tls-ticket-keys:1 tls-tickets:0 transparent:0 uid:1
  user:1 v4v6:0 v6only:0 verify:1`);

/** Parameters of `server` and `default-server` and how many words each takes. */
export const SERVER_PARAMS = counts(`
  addr:1 agent-addr:1 agent-check:0 agent-inter:1 agent-port:1 agent-send:1 allow-0rtt:0 alpn:1 backup:0 ca-file:1 cc:1
  check:0 check-alpn:1 check-pool-conn-name:1 check-proto:1 check-reuse-pool:0 check-send-proxy:0 check-sni:1 check-ssl:0
  check-sni-auto:0 check-via-socks4:0 ciphers:1 ciphersuites:1 client-sigalgs:1 cookie:1 crl-file:1 crt:1 curves:1 disabled:0
  downinter:1 enabled:0 error-limit:1 fall:1 fastinter:1 force-sslv3:0 force-tlsv10:0 force-tlsv11:0 force-tlsv12:0
  force-tlsv13:0 guid:1 hash-key:1 id:1 idle-ping:1 init-addr:1 init-state:1 inter:1 log-bufsize:1 log-proto:1
  max-reuse:1 maxconn:1 maxqueue:1 minconn:1 namespace:1 no-agent-check:0 no-backup:0 no-check:0 no-check-reuse-pool:0
  no-check-send-proxy:0 no-check-sni-auto:0 no-check-ssl:0 no-renegotiate:0 no-send-proxy:0 no-send-proxy-v2:0
  no-send-proxy-v2-ssl:0 no-send-proxy-v2-ssl-cn:0 no-sni-auto:0 no-ssl:0 no-ssl-reuse:0 no-sslv3:0 no-tfo:0
  no-tls-tickets:0 no-tlsv10:0 no-tlsv11:0 no-tlsv12:0 no-tlsv13:0 no-verifyhost:0 non-stick:0 npn:1 observe:1 on-error:1
  on-marked-down:1 on-marked-up:1 pool-conn-name:1 pool-low-conn:1 pool-max-conn:1 pool-purge-delay:1 port:1 proto:1
  proxy-v2-options:1 redir:1 renegotiate:0 resolve-net:1 resolve-opts:1 resolve-prefer:1 resolvers:1 rise:1 send-proxy:0
  send-proxy-v2:0 send-proxy-v2-ssl:0 send-proxy-v2-ssl-cn:0 set-proxy-v2-tlv-fmt:1 shard:1 sigalgs:1 slowstart:1 sni:1
  sni-auto:0 socks4:1 source:1 ssl:0 ssl-max-ver:1 ssl-min-ver:1 ssl-reuse:0 stick:0 strict-maxconn:0 tcp-md5sig:1
  tcp-ut:1 tfo:0 tls-tickets:0 track:1 usesrc:1 verify:1 verifyhost:1 weight:1 ws:1`);

/** Samples that an ACL may ask for; by their first part, without `_beg` and the like. */
export const FETCHES = words(`
  always_false always_true avg_queue base base32 base32+src baseq be_conn be_conn_free be_id be_name be_sess_rate bin bool
  capture.req.hdr capture.req.method capture.req.uri capture.req.ver capture.res.hdr capture.res.ver connslots cook cook_cnt
  cook_val cookie date date_us dst dst_conn dst_is_local dst_port env fc_err fc_http_major fc_pp_authority fc_pp_unique_id
  fc_rcvd_proxy fc_rtt fc_rttvar fe_conn fe_id fe_name fe_req_rate fe_sess_rate hdr hdr_cnt hdr_ip hdr_val hostname
  http_auth http_auth_bearer http_auth_group http_auth_pass http_auth_type http_auth_user http_first_req int ipv4 ipv6
  meth method nbproc nbsrv path pathq payload payload_lv proc prio_class prio_offset query queue rand rdp_cookie
  rdp_cookie_cnt rep_ssl_hello_type req.body req.body_len req.body_param req.body_size req.cook req.cook_cnt req.cook_val
  req.fhdr req.fhdr_cnt req.hdr req.hdr_cnt req.hdr_ip req.hdr_names req.hdr_val req.hdrs req.hdrs_bin req.len req.payload
  req.payload_lv req.proto_http req.rdp_cookie req.rdp_cookie_cnt req.ssl_alpn req.ssl_cipherlist req.ssl_ec_ext
  req.ssl_hello_type req.ssl_keyshare_groups req.ssl_sni req.ssl_st_ext req.ssl_supported_groups req.ssl_ver req.timer.hdr
  req.ver req_len req_proto_http req_ssl_hello_type req_ssl_sni req_ssl_ver req_ver res.cook res.fhdr res.hdr res.len
  res.payload res.payload_lv res.ssl_hello_type res.ver resp_ver scook shdr so_id so_name src src_conn_cnt src_conn_cur
  src_conn_rate src_get_gpc0 src_get_gpt0 src_http_err_rate src_http_req_cnt src_http_req_rate src_inc_gpc0 src_is_local
  src_port src_sess_rate sc_conn_cur sc_conn_rate sc_get_gpc0 sc_http_req_rate sc0_conn_cur sc0_conn_rate sc0_get_gpc0
  sc0_http_err_rate sc0_http_req_rate sc1_http_req_rate sc2_http_req_rate srv_conn srv_id srv_is_up srv_name srv_queue
  srv_sess_rate srv_weight ssl_bc ssl_c_ca_err ssl_c_chain_der ssl_c_der ssl_c_err ssl_c_i_dn ssl_c_key_alg ssl_c_notafter
  ssl_c_notbefore ssl_c_s_dn ssl_c_serial ssl_c_sha1 ssl_c_sig_alg ssl_c_used ssl_c_verify ssl_c_version ssl_f_der
  ssl_f_i_dn ssl_f_s_dn ssl_f_sha1 ssl_fc ssl_fc_alg_keysize ssl_fc_alpn ssl_fc_cipher ssl_fc_err ssl_fc_has_crt
  ssl_fc_has_early ssl_fc_has_sni ssl_fc_is_resumed ssl_fc_npn ssl_fc_protocol ssl_fc_session_id ssl_fc_sni
  ssl_fc_unique_id ssl_fc_use_keysize status stopping str table_avail table_cnt thread txn.status unique-id url url32
  url32+src url_ip url_param url_port urlp urlp_val uuid var wait_end`);

/** ACLs that HAProxy defines by itself (manual §7.4). */
export const PREDEFINED_ACLS = words(`
  FALSE HTTP HTTP_1.0 HTTP_1.1 HTTP_2.0 HTTP_3.0 HTTP_CONTENT HTTP_URL_ABS HTTP_URL_SLASH HTTP_URL_STAR LOCALHOST
  METH_CONNECT METH_DELETE METH_GET METH_HEAD METH_OPTIONS METH_POST METH_PUT METH_TRACE RDP_COOKIE REQ_CONTENT TRUE
  WAIT_END`);

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

function pairs(text: string): (readonly [string, string])[] {
  return text
    .trim()
    .split(/\s+/)
    .map((entry) => {
      const colon = entry.lastIndexOf(":");
      return [entry.slice(0, colon), entry.slice(colon + 1)];
    });
}

function places(text: string): ReadonlyMap<string, string> {
  return new Map(pairs(text));
}

function counts(text: string): ReadonlyMap<string, number> {
  return new Map(pairs(text).map(([name, count]) => [name, Number(count)]));
}
