/*
 * Preloaded after the sanitizers: the processes that this one starts shall not inherit them. Under
 * a preloaded libasan, ps and curl hang in setlocale, and others leak.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

__attribute__((constructor)) static void alone(void) {
  unsetenv("LD_PRELOAD");
}
