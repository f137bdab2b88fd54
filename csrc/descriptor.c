/* descriptor.c - see descriptor.h.
 *
 * libcurl may close a socket at any time, also while a loop watches it, and its number may at once
 * be another file's. A loop that watches a duplicate owns what it watches. */
#define _POSIX_C_SOURCE 200809L
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "binding.h"

#define DESCRIPTOR "rollcall.descriptor"

typedef struct descriptor {
  int fd; /* owned; -1 once closed */
} descriptor;

/* duplicate(fd) -> descriptor | nil, what the system says */
static int descriptor_new(lua_State *L) {
  const lua_Integer fd = luaL_checkinteger(L, 1);
  luaL_argcheck(L, fd >= 0 && fd <= INT_MAX, 1, "expected a file descriptor");
  descriptor *d = lua_newuserdatauv(L, sizeof *d, 0);
  d->fd = -1;
  luaL_getmetatable(L, DESCRIPTOR);
  lua_setmetatable(L, -2);
  d->fd = fcntl((int)fd, F_DUPFD_CLOEXEC, 0);
  if (d->fd < 0) {
    lua_pushnil(L);
    lua_pushstring(L, strerror(errno));
    return 2;
  }
  return 1;
}

/* descriptor:number() -> fd | nil once it is closed */
static int descriptor_number(lua_State *L) {
  const descriptor *d = luaL_checkudata(L, 1, DESCRIPTOR);
  if (d->fd < 0) {
    return rc_answer_nil(L);
  }
  lua_pushinteger(L, d->fd);
  return 1;
}

/* descriptor:close(), and __gc */
static int descriptor_close(lua_State *L) {
  descriptor *d = luaL_checkudata(L, 1, DESCRIPTOR);
  const int fd = d->fd;
  d->fd = -1;
  if (fd >= 0) {
    (void)close(fd);
  }
  return 0;
}

void rc_descriptor_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"number", descriptor_number}, {"close", descriptor_close}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"duplicate", descriptor_new}, {NULL, NULL}};
  rc_new_metatable(L, DESCRIPTOR, methods, descriptor_close);
  luaL_setfuncs(L, functions, 0);
}
