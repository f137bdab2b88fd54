/* http_request.c - see http.h: how a transfer begins. */
#define _POSIX_C_SOURCE 200809L

#include "http_private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LONGEST_IDLE_S 118 /* libcurl reuses no connection that was idle for longer */

/* A process that the script starts does not inherit the connection. */
static int on_open(void *context, curl_socket_t fd, curlsocktype purpose) {
  (void)context;
  (void)purpose;
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  return CURL_SOCKOPT_OK;
}

static const struct {
  CURLoption option;
  long value;
} fixed_options[] = {
    {CURLOPT_FOLLOWLOCATION, 0},
    {CURLOPT_SUPPRESS_CONNECT_HEADERS, 1},
    {CURLOPT_SSL_VERIFYPEER, 1},
    {CURLOPT_SSL_VERIFYHOST, 2},
    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
    {CURLOPT_TCP_KEEPALIVE, 1},
    {CURLOPT_TCP_NODELAY, 1},
};

/* Whether to tell libcurl to leave signals alone. Before 7.88 it ignores SIGPIPE, which its writes
 * over TLS can raise, only if it is not told so; but without a thread for its resolver it would
 * then interrupt that by SIGALRM, which is worse. */
static bool is_free_of_signals(void) {
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  return info->version_num >= 0x075800 || (info->features & CURL_VERSION_ASYNCHDNS) == 0;
}

static CURLcode set_text(CURL *easy, CURLoption option, const char *text) {
  return text != NULL ? curl_easy_setopt(easy, option, text) : CURLE_OK;
}

static CURLcode set_method(CURL *easy, const char *method, const char *body, size_t length) {
  CURLcode code = CURLE_OK;
  if (body == NULL && strcmp(method, "GET") == 0) {
    return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  }
  if (body == NULL && strcmp(method, "HEAD") == 0) {
    return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  }
  const bool posts = strcmp(method, "POST") == 0;
  if (body != NULL || posts) {
    code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                            (curl_off_t)(body != NULL ? length : 0));
    if (code == CURLE_OK) {
      code = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body != NULL ? body : "");
    }
  }
  return code == CURLE_OK && !posts ? set_text(easy, CURLOPT_CUSTOMREQUEST, method) : code;
}

static CURLcode configure(const rc_http *engine, rc_transfer *transfer,
                          const rc_http_request *request) {
  const struct {
    CURLoption option;
    const char *text;
  } texts[] = {
      {CURLOPT_URL, request->url},
      {CURLOPT_ACCEPT_ENCODING, ""},
      {CURLOPT_CAINFO, request->ca_file},
      {CURLOPT_SSLCERT, request->client_cert},
      {CURLOPT_SSLKEY, request->client_key},
      {CURLOPT_PROXY, request->proxy},
      /* The environment's exceptions do not count for a proxy that was asked for. */
      {CURLOPT_NOPROXY, request->proxy != NULL ? "" : NULL},
  };
  CURL *easy = transfer->easy;
  CURLcode code;
  for (size_t i = 0; i < sizeof fixed_options / sizeof *fixed_options; i++) {
    curl_easy_setopt(easy, fixed_options[i].option, fixed_options[i].value);
  }
#if LIBCURL_VERSION_NUM >= 0x075700
  /* Otherwise cancels and timeouts wait for getaddrinfo, and it for silent DNS servers. A thread of
   * libcurl's may outlive the engine, so libcurl must stay loaded (see core.c). */
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, (long)is_free_of_signals());
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, /* whose 0 means five minutes */
                   request->connect_timeout_ms > 0 ? request->connect_timeout_ms : (long)INT_MAX);
  /* A libcurl without HTTP/2 refuses this, and does without. */
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT,
                   (long)(engine->multiplex && strncasecmp(request->url, "https:", 6) == 0));
  curl_easy_setopt(easy, CURLOPT_SHARE, engine->share);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)request->fresh_connection);
  /* Connections that were idle while another fell silent may have done so, too. libcurl counts
   * whole seconds: those idle for less than two by then may be reused. */
  const int64_t since = (engine->clock - engine->silent_at) / 1000;
  if (engine->silent_at > 0 && since < LONGEST_IDLE_S) {
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, since > 0 ? (long)since : 1L);
  }
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_open);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, rc_http_on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, rc_http_on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
#if LIBCURL_VERSION_NUM >= 0x075500
  code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  if (request->ca_file != NULL) {
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* fails where TLS knows no such directory */
  }
  for (size_t i = 0; i < sizeof texts / sizeof *texts && code == CURLE_OK; i++) {
    code = set_text(easy, texts[i].option, texts[i].text);
  }
  if (code != CURLE_OK) {
    return code;
  }
  return set_method(easy, request->method, transfer->sent_body, request->body_length);
}

static bool add_header(rc_transfer *transfer, const char *line) {
  struct curl_slist *longer = curl_slist_append(transfer->headers, line);
  if (longer == NULL) {
    return false;
  }
  transfer->headers = longer;
  return true;
}

static rc_http_result copy_request(rc_transfer *transfer, const rc_http_request *request) {
  if (strpbrk(request->method, "\r\n ") != NULL) {
    return RC_HTTP_REFUSED;
  }
  /* Without an empty "Expect" libcurl may wait a second for a 100 before it sends a body. */
  if (!add_header(transfer, "Expect:")) {
    return RC_HTTP_NOMEM;
  }
  for (const char *const *line = request->headers; line != NULL && *line != NULL; line++) {
    if (strpbrk(*line, "\r\n") != NULL) {
      return RC_HTTP_REFUSED;
    }
    if (!add_header(transfer, *line)) {
      return RC_HTTP_NOMEM;
    }
  }
  if (request->body != NULL) {
    transfer->sent_body = malloc(request->body_length > 0 ? request->body_length : 1);
    if (transfer->sent_body == NULL) {
      return RC_HTTP_NOMEM;
    }
    memcpy(transfer->sent_body, request->body, request->body_length);
  }
  transfer->sink = request->sink;
  transfer->max_body = request->max_body;
  transfer->max_headers = request->max_headers;
  transfer->max_collected = request->max_collected;
  transfer->connect_timeout_ms = bounded_ms(request->connect_timeout_ms);
  transfer->idle_timeout_ms = bounded_ms(request->idle_timeout_ms);
  return RC_HTTP_OK;
}

/* Links the transfer in and starts its clocks. */
static void enlist(rc_http *engine, rc_transfer *transfer, long timeout_ms) {
  transfer->engine = engine;
  transfer->started = engine->clock;
  transfer->deadline = timeout_ms > 0 ? engine->clock + bounded_ms(timeout_ms) : NEVER;
  transfer->connect_from = transfer->active_at = attended(engine);
  transfer->connect_unattended = engine->unattended;
  transfer->next = engine->running;
  if (transfer->next != NULL) {
    transfer->next->previous = transfer;
  }
  engine->running = transfer;
  engine->check_at = earlier(engine->check_at, rc_http_timeout_at(transfer));
}

rc_http_result rc_http_start(rc_http *engine, const rc_http_request *request,
                             rc_transfer **transfer_out) {
  *transfer_out = NULL;
  rc_http_attend(engine);
  rc_transfer *transfer = calloc(1, sizeof *transfer);
  if (transfer == NULL) {
    return RC_HTTP_NOMEM;
  }
  transfer->fd = CURL_SOCKET_BAD;
  rc_http_result result = copy_request(transfer, request);
  if (result == RC_HTTP_OK) {
    transfer->easy = curl_easy_init();
    const CURLcode code =
        transfer->easy != NULL ? configure(engine, transfer, request) : CURLE_OUT_OF_MEMORY;
    result = code == CURLE_OUT_OF_MEMORY ? RC_HTTP_NOMEM
             : code != CURLE_OK          ? RC_HTTP_NETWORK
                                         : RC_HTTP_OK;
  }
  if (result == RC_HTTP_OK && curl_multi_add_handle(engine->multi, transfer->easy) != CURLM_OK) {
    result = RC_HTTP_NOMEM;
  }
  if (result == RC_HTTP_OK) {
    enlist(engine, transfer, request->timeout_ms);
    *transfer_out = transfer;
    return RC_HTTP_OK;
  }
  curl_easy_cleanup(transfer->easy);
  rc_http_release_request(transfer);
  free(transfer);
  return result;
}
