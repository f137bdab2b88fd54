/* floor.c - the floor: what libcurl costs when the bytes are thrown away.
 *
 *   floor URLS HEADER...
 *
 * Asks for each URL of the file, one after the other on one connection, and prints how many bytes
 * of bodies came. Which page follows which it need not find out: even that is left out. For https
 * WALK_CA_FILE is whom it trusts.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long long received;

static size_t throw_away(char *bytes, size_t size, size_t count, void *context) {
  (void)bytes;
  (void)context;
  received += size * count;
  return size * count;
}

static CURL *configure(struct curl_slist *headers) {
  CURL *easy = curl_easy_init();
  if (easy != NULL) {
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (getenv("WALK_CA_FILE") != NULL) {
      (void)curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("WALK_CA_FILE"));
    }
    (void)curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 65536L);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, throw_away);
  }
  return easy;
}

int main(int count, char **arguments) {
  char url[4096];
  struct curl_slist *headers = NULL;
  FILE *urls = count > 1 ? fopen(arguments[1], "r") : NULL;
  if (urls == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    (void)fprintf(stderr, "usage: %s URLS HEADER...\n", arguments[0]);
    return 2;
  }
  for (int i = 2; i < count; i++) {
    headers = curl_slist_append(headers, arguments[i]);
  }
  CURL *easy = configure(headers);
  CURLcode code = easy != NULL ? CURLE_OK : CURLE_OUT_OF_MEMORY;
  while (code == CURLE_OK && fgets(url, sizeof url, urls) != NULL) {
    url[strcspn(url, "\n")] = '\0';
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    code = curl_easy_perform(easy);
  }
  (void)fclose(urls);
  curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
  curl_global_cleanup();
  if (code != CURLE_OK) {
    (void)fprintf(stderr, "%s\n", curl_easy_strerror(code));
    return 1;
  }
  (void)printf("bytes %llu\n", received);
  return 0;
}
