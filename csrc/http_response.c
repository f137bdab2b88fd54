/* http_response.c - see http.h: what a transfer receives, and what can be asked of it. */
#define _POSIX_C_SOURCE 200809L

#include "http_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DROPPED_MAX (1u << 20) /* of a body that is cut, before its connection is given up */

static bool append(struct buffer *buffer, const char *bytes, size_t length) {
  if (length > buffer->capacity - buffer->length) {
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : 1024;
    while (capacity - buffer->length < length) {
      if (capacity > SIZE_MAX / 2) {
        return false;
      }
      capacity *= 2;
    }
    char *grown = realloc(buffer->bytes, capacity);
    if (grown == NULL) {
      return false;
    }
    buffer->bytes = grown;
    buffer->capacity = capacity;
  }
  memcpy(buffer->bytes + buffer->length, bytes, length);
  buffer->length += length;
  return true;
}

uint64_t rc_http_wire_bytes_of(CURL *easy) {
  curl_off_t body = 0;
  long headers = 0;
  curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &body);
  curl_easy_getinfo(easy, CURLINFO_HEADER_SIZE, &headers);
  return (body > 0 ? (uint64_t)body : 0) + (headers > 0 ? (uint64_t)headers : 0);
}

/* The same where a callback ends the transfer and libcurl does not count what it handed over last:
 * since 8.5, and of chunked bodies before. `given` bytes have been handed over in all. How many
 * they were before they were decompressed, libcurl alone knows. */
static uint64_t wire_bytes_at_end(const rc_transfer *transfer, uint64_t given) {
  const uint64_t counted = rc_http_wire_bytes_of(transfer->easy);
  size_t at = 0;
  size_t length;
  if (given <= counted || rc_transfer_header(transfer, "Content-Encoding", &at, &length) != NULL) {
    return counted;
  }
  return given - counted < RECEIVE_BUFFER ? given : counted + RECEIVE_BUFFER;
}

int rc_http_version_of(CURL *easy) {
  static const int versions[] = {[CURL_HTTP_VERSION_1_0] = 10,
                                 [CURL_HTTP_VERSION_1_1] = 11,
                                 [CURL_HTTP_VERSION_2_0] = 20,
                                 [CURL_HTTP_VERSION_3] = 30};
  long version = 0;
  curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  return version >= 0 && version <= CURL_HTTP_VERSION_3 ? versions[version] : 0;
}

/* What a write callback returns to end its transfer. */
static size_t fail(rc_transfer *transfer, rc_http_result result, const char *text) {
  transfer->failure = result;
  transfer->failure_text = text;
  return 0;
}

size_t rc_http_on_header(char *bytes, size_t size, size_t count, void *context) {
  rc_transfer *transfer = context;
  size_t length = size * count; /* `size` is always 1 */
  if (transfer->easy == NULL || length == 0) {
    return length;
  }
  transfer->active_at = attended(transfer->engine);
  if (transfer->max_headers > 0 && length > transfer->max_headers - transfer->header_bytes) {
    return fail(transfer, RC_HTTP_TOO_LARGE, "the header block is too large");
  }
  transfer->header_bytes += length;
  if (transfer->headers_complete && length > 5 && memcmp(bytes, "HTTP/", 5) == 0) {
    /* libcurl has asked again by itself, since a stream of HTTP/2 ended with HTTP_1_1_REQUIRED. */
    if (transfer->received > 0 || transfer->paused) {
      return fail(transfer, RC_HTTP_NETWORK,
                  "the server broke its answer off, and requires HTTP/1.1");
    }
    if (transfer->superseded.bytes != NULL) { /* before 7.76, without end */
      return fail(transfer, RC_HTTP_NETWORK,
                  "the server requires HTTP/1.1, but is not asked by it");
    }
    transfer->headers_complete = false;
    transfer->status = 0;
    transfer->superseded = transfer->block;
    transfer->block = (struct buffer){0};
  }
  if (transfer->headers_complete) {
    return length; /* a trailer */
  }
  if (transfer->block_ended) {
    transfer->block_ended = false;
    transfer->block.length = 0;
  }
  if (bytes[0] == '\r' || bytes[0] == '\n') {
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->block_ended = true;
    if (status >= 200 || status == 101) { /* 101: unasked for, but libcurl takes it as final */
      transfer->status = status;
      transfer->headers_complete = true;
    }
    return length;
  }
  if (!append(&transfer->block, bytes, length)) {
    return fail(transfer, RC_HTTP_NOMEM, "out of memory");
  }
  return length;
}

static size_t collect_body(rc_transfer *transfer, const char *bytes, size_t length) {
  size_t room = transfer->max_collected - transfer->body.length;
  size_t kept = length < room ? length : room;
  if (kept > 0 && !append(&transfer->body, bytes, kept)) {
    return fail(transfer, RC_HTTP_NOMEM, "out of memory");
  }
  transfer->dropped += length - kept;
  transfer->received += length;
  if (transfer->dropped <= DROPPED_MAX) {
    return length;
  }
  transfer->gave_up = true;
  return 0;
}

/* Returns as a write callback does. */
static size_t take_body(rc_transfer *transfer, const char *bytes, size_t length) {
  if (transfer->status / 100 != 2) {
    return collect_body(transfer, bytes, length);
  }
  const uint64_t room =
      transfer->max_body > 0 ? transfer->max_body - transfer->received : UINT64_MAX;
  if (transfer->sink.write == NULL) {
    return length > room ? fail(transfer, RC_HTTP_TOO_LARGE, "the body is too large")
                         : collect_body(transfer, bytes, length);
  }
  if (transfer->sink.full != NULL && transfer->sink.full(transfer->sink.context)) {
    transfer->paused = true;
    transfer->engine->sockets_version++; /* see rc_http_sockets */
    return CURL_WRITEFUNC_PAUSE;
  }
  /* What the limit allows is taken, however the network cut the body. */
  const size_t taken = length < room ? length : (size_t)room;
  if (taken > 0 && !transfer->sink.write(transfer->sink.context, bytes, taken)) {
    return fail(transfer, RC_HTTP_REFUSED, "the body was refused");
  }
  transfer->received += taken;
  return taken == length ? length : fail(transfer, RC_HTTP_TOO_LARGE, "the body is too large");
}

size_t rc_http_on_body(char *bytes, size_t size, size_t count, void *context) {
  rc_transfer *transfer = context;
  size_t length = size * count; /* `size` is always 1 */
  if (transfer->easy == NULL || length == 0) {
    return length;
  }
  transfer->active_at = attended(transfer->engine);
  const uint64_t given = transfer->header_bytes + transfer->received + length;
  const size_t result = take_body(transfer, bytes, length);
  if (result == 0) { /* libcurl forgets how many have come */
    transfer->wire_bytes = wire_bytes_at_end(transfer, given);
  }
  return result;
}

bool rc_transfer_is_done(const rc_transfer *transfer) {
  return transfer->engine == NULL;
}

rc_http_result rc_transfer_result(const rc_transfer *transfer) {
  return transfer->result;
}

long rc_transfer_proxy_status(const rc_transfer *transfer) {
  return transfer->proxy_status;
}

const char *rc_transfer_error(const rc_transfer *transfer) {
  return transfer->engine != NULL ? "" : transfer->error;
}

long rc_transfer_status(const rc_transfer *transfer) {
  return transfer->status;
}

const char *rc_transfer_header(const rc_transfer *transfer, const char *name, size_t *at,
                               size_t *length) {
  size_t name_length = strlen(name);
  if (!transfer->headers_complete || *at >= transfer->block.length) {
    return NULL;
  }
  const char *line = transfer->block.bytes + *at;
  const char *end = transfer->block.bytes + transfer->block.length;
  while ((line = memchr(line, '\n', (size_t)(end - line))) != NULL && ++line < end) {
    if ((size_t)(end - line) <= name_length || line[name_length] != ':' ||
        strncasecmp(line, name, name_length) != 0) {
      continue;
    }
    *at = (size_t)(line - transfer->block.bytes);
    const char *value = line + name_length + 1;
    const char *stop = memchr(value, '\n', (size_t)(end - value));
    stop = stop != NULL ? stop : end;
    while (value < stop && strchr(" \t", *value) != NULL) {
      value++;
    }
    while (value < stop && strchr(" \t\r", stop[-1]) != NULL) {
      stop--;
    }
    *length = (size_t)(stop - value);
    return value;
  }
  return NULL;
}

const char *rc_transfer_header_block(const rc_transfer *transfer, size_t *length) {
  *length = transfer->headers_complete ? transfer->block.length : 0;
  return *length > 0 ? transfer->block.bytes : "";
}

const char *rc_transfer_body(const rc_transfer *transfer, size_t *length, bool *cut) {
  *length = transfer->body.length;
  *cut = transfer->dropped > 0;
  return transfer->body.bytes != NULL ? transfer->body.bytes : "";
}

uint64_t rc_transfer_wire_bytes(const rc_transfer *transfer) {
  return transfer->engine != NULL ? rc_http_wire_bytes_of(transfer->easy) : transfer->wire_bytes;
}

uint64_t rc_transfer_elapsed_ms(const rc_transfer *transfer) {
  return transfer->engine != NULL ? (uint64_t)(monotonic_ms() - transfer->started)
                                  : transfer->elapsed;
}

bool rc_transfer_paused(const rc_transfer *transfer) {
  return transfer->paused;
}
