/* poller.c - see poller.h.
 *
 * libcurl may close a socket at any time, and its number may at once be another file's: a loop that
 * watches a poller owns what it watches. An epoll descriptor never polls as an error either, which
 * luv would print. */
#define _GNU_SOURCE /* dup3 */
#include "poller.h"

#if defined(__linux__)

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "binding.h"

#define POLLER "rollcall.poller"

typedef struct watched {
  int fd;
  uint32_t events;
  lua_Number id;
} watched;

typedef struct poller {
  int fd;           /* owned; -1 once closed */
  watched *sockets; /* owned: what epoll was told of */
  size_t count;
  pid_t process; /* whose set it is */
} poller;

/* Returns nil and what the system says. */
static int answer_failure(lua_State *L, int failure) {
  lua_pushnil(L);
  lua_pushstring(L, strerror(failure));
  return 2;
}

/* poller() -> poller | nil, what the system says */
static int poller_new(lua_State *L) {
  poller *p = lua_newuserdatauv(L, sizeof *p, 0);
  *p = (poller){.fd = -1};
  luaL_getmetatable(L, POLLER);
  lua_setmetatable(L, -2);
  p->process = getpid();
  p->fd = epoll_create1(EPOLL_CLOEXEC);
  if (p->fd < 0) {
    return answer_failure(L, errno);
  }
  return 1;
}

static poller *check_poller(lua_State *L) {
  poller *p = luaL_checkudata(L, 1, POLLER);
  luaL_argcheck(L, p->fd >= 0, 1, "the poller is closed");
  return p;
}

/* poller:number() -> fd, which is readable while one of the sockets is ready | nil once closed */
static int poller_number(lua_State *L) {
  const poller *p = luaL_checkudata(L, 1, POLLER);
  if (p->fd < 0) {
    return rc_answer_nil(L);
  }
  lua_pushinteger(L, p->fd);
  return 1;
}

static const watched *find(const watched *sockets, size_t count, const watched *same) {
  for (size_t i = 0; i < count; i++) {
    if (sockets[i].fd == same->fd && sockets[i].id == same->id) {
      return &sockets[i];
    }
  }
  return NULL;
}

static int tell(const poller *p, int operation, const watched *socket) {
  struct epoll_event event = {.events = socket->events, .data = {.fd = socket->fd}};
  return epoll_ctl(p->fd, operation, socket->fd, &event);
}

/* In a child of fork the set is the parent's, too: another one takes its place, under its number.
 * false, with errno, if there is none. */
static bool own_set(poller *p) {
  if (p->process == getpid()) {
    return true;
  }
  const int fresh = epoll_create1(EPOLL_CLOEXEC);
  if (fresh < 0) {
    return false;
  }
  const bool is_placed = dup3(fresh, p->fd, O_CLOEXEC) >= 0;
  const int problem = errno;
  (void)close(fresh);
  errno = problem;
  if (is_placed) {
    p->process = getpid();
    p->count = 0;
  }
  return is_placed;
}

/* Reads the list of engine:sockets at index 2. Pushes the array, which is Lua's memory. */
static watched *push_wanted(lua_State *L, size_t count) {
  watched *wanted = lua_newuserdatauv(L, (count + 1) * sizeof *wanted, 0);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, 2, (int)(3 * i + 1));
    lua_rawgeti(L, 2, (int)(3 * i + 2));
    lua_rawgeti(L, 2, (int)(3 * i + 3));
    const lua_Integer fd = luaL_checkinteger(L, -3);
    const char *events = luaL_checkstring(L, -1);
    luaL_argcheck(L, fd >= 0 && fd <= INT_MAX, 2, "expected file descriptors");
    wanted[i] = (watched){.fd = (int)fd, .id = luaL_checknumber(L, -2)};
    wanted[i].events = (strchr(events, 'r') != NULL ? EPOLLIN : 0u) |
                       (strchr(events, 'w') != NULL ? EPOLLOUT : 0u);
    lua_pop(L, 3);
  }
  return wanted;
}

/* Makes the epoll set that of `wanted`. 0, or the errno of what could not be done: the next call
 * tries that again. */
static int update(poller *p, watched *wanted, size_t count) {
  int failure = 0;
  /* A closed socket has left the set by itself. Its number may be another file's now, which is not
   * in the set: that DEL fails, and harms nothing. */
  for (size_t i = 0; i < p->count; i++) {
    if (find(wanted, count, &p->sockets[i]) == NULL) {
      (void)tell(p, EPOLL_CTL_DEL, &p->sockets[i]);
    }
  }
  for (size_t i = 0; i < count; i++) {
    const watched *known = find(p->sockets, p->count, &wanted[i]);
    if (known != NULL && known->events == wanted[i].events) {
      continue;
    }
    if (tell(p, EPOLL_CTL_ADD, &wanted[i]) != 0 &&
        (errno != EEXIST || tell(p, EPOLL_CTL_MOD, &wanted[i]) != 0)) {
      failure = errno;
      wanted[i].events = UINT32_MAX; /* as no socket's are */
    }
  }
  watched *kept = realloc(p->sockets, (count + 1) * sizeof *kept);
  if (kept == NULL) {
    p->count = 0; /* all are added again, which is harmless */
    return ENOMEM;
  }
  memcpy(kept, wanted, count * sizeof *kept);
  p->sockets = kept;
  p->count = count;
  return failure;
}

/* poller:watch(list) -> true | nil, what the system says. The list is that of engine:sockets; what
 * is not in it is no longer watched. */
static int poller_watch(lua_State *L) {
  luaL_checktype(L, 2, LUA_TTABLE);
  const size_t count = (size_t)lua_rawlen(L, 2) / 3;
  watched *wanted = push_wanted(L, count);
  poller *p = check_poller(L); /* last: a finalizer may have closed it while Lua allocated */
  const int failure = own_set(p) ? update(p, wanted, count) : errno;
  if (failure != 0) {
    return answer_failure(L, failure);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* poller:close(), and __gc */
static int poller_close(lua_State *L) {
  poller *p = luaL_checkudata(L, 1, POLLER);
  const int fd = p->fd;
  p->fd = -1;
  p->count = 0;
  free(p->sockets);
  p->sockets = NULL;
  if (fd >= 0) {
    (void)close(fd);
  }
  return 0;
}

void rc_poller_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"number", poller_number}, {"watch", poller_watch}, {"close", poller_close}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"poller", poller_new}, {NULL, NULL}};
  rc_new_metatable(L, POLLER, methods, poller_close);
  luaL_setfuncs(L, functions, 0);
}

#else

void rc_poller_open(lua_State *L) {
  (void)L;
}

#endif
