/* terminal.c - see terminal.h. */
#define _GNU_SOURCE /* sigaction, ioctl's TIOCGWINSZ, mkostemp */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "terminal.h"

enum { ENDING = 3 };

/* The signals that ask the process to end, and their names for Lua. */
static const struct {
  int number;
  const char *name;
} ending[ENDING] = {{SIGINT, "INT"}, {SIGTERM, "TERM"}, {SIGHUP, "HUP"}};

/* Which of them have arrived. Without an owner, since a signal handler can reach nothing else; set
 * by the handler and cleared by `caught` alone. One flag each, so that none is lost. */
static volatile sig_atomic_t arrived[ENDING];

static void remember(int number) {
  for (size_t i = 0; i < ENDING; i++) {
    if (ending[i].number == number) {
      arrived[i] = 1;
    }
  }
}

static void ignore(int number) {
  (void)number;
}

/* is_terminal(fd) -> boolean */
static int terminal_is(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

/* columns(fd) -> how wide its terminal is; nil if it is not one, or does not say */
static int terminal_columns(lua_State *L) {
  struct winsize size;
  if (ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, size.ws_col);
  return 1;
}

/* catch(): from now on SIGINT, SIGTERM and SIGHUP end a wait and are there for `caught`, each once:
 * the second one kills, as it would have. One that is ignored (nohup) stays so. A read or write
 * under way goes on. */
static int terminal_catch(lua_State *L) {
  struct sigaction action, before;
  (void)L;
  memset(&action, 0, sizeof action);
  (void)sigemptyset(&action.sa_mask);
  action.sa_handler = remember;
  action.sa_flags = (int)(SA_RESTART | SA_RESETHAND);
  for (size_t i = 0; i < ENDING; i++) {
    if (sigaction(ending[i].number, NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
      (void)sigaction(ending[i].number, &action, NULL);
    }
  }
  return 0;
}

static void set(int number, void (*handler)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  (void)sigemptyset(&action.sa_mask);
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  (void)sigaction(number, &action, NULL);
}

/* release(): from now on the signals of `catch` kill again. One that came before is still there for
 * `caught`. */
static int terminal_release(lua_State *L) {
  struct sigaction now;
  (void)L;
  for (size_t i = 0; i < ENDING; i++) {
    if (sigaction(ending[i].number, NULL, &now) == 0 && now.sa_handler == remember) {
      set(ending[i].number, SIG_DFL);
    }
  }
  return 0;
}

/* default(): SIGINT ends the process again, whatever the interpreter made of it */
static int terminal_default(lua_State *L) {
  (void)L;
  set(SIGINT, SIG_DFL);
  return 0;
}

/* fail_writes(): a write to a closed pipe, or beyond the largest size of files, fails instead of
 * killing; programs that are started have SIGPIPE and SIGXFSZ as they were */
static int terminal_fail_writes(lua_State *L) {
  (void)L;
  set(SIGPIPE, ignore);
  set(SIGXFSZ, ignore);
  return 0;
}

/* caught() -> "INT", "TERM" or "HUP" once, and the status that a shell gives it; nil for none */
static int terminal_caught(lua_State *L) {
  for (size_t i = 0; i < ENDING; i++) {
    if (arrived[i]) {
      arrived[i] = 0;
      lua_pushstring(L, ending[i].name);
      lua_pushinteger(L, 128 + ending[i].number);
      return 2;
    }
  }
  lua_pushnil(L);
  return 1;
}

/* occupy(): those of stdin, stdout and stderr that are closed become /dev/null, so that no socket
 * or file gets their numbers. It is opened the wrong way round: reading or writing it still
 * fails. */
static int terminal_occupy(lua_State *L) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
        open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) {
      return luaL_error(L, "cannot open /dev/null: %s", strerror(errno));
    }
  }
  return 0;
}

/* replace(program, ...) -> nil and why not; on success this process becomes that program */
static int terminal_replace(lua_State *L) {
  const int count = lua_gettop(L);
  char **words;
  (void)luaL_checkstring(L, 1);
  words = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *words, 0); /* Lua's, like each word */
  for (int i = 0; i < count; i++) {
    words[i] = (char *)luaL_checkstring(L, i + 1); /* which execv leaves as it is */
  }
  words[count] = NULL;
  (void)execv(words[0], words);
  lua_pushnil(L);
  lua_pushstring(L, strerror(errno));
  return 2;
}

/* truncate(fd, length) -> whether what follows the first `length` bytes is gone; false if it is not
 * a file, or if the system's offsets are too small for the length */
static int terminal_truncate(lua_State *L) {
  const int fd = (int)luaL_checkinteger(L, 1);
  const lua_Number length = luaL_checknumber(L, 2);
  const lua_Number most = sizeof(off_t) < 8 ? 2147483647.0 : 9007199254740992.0;
  lua_pushboolean(L, length >= 0 && length <= most && ftruncate(fd, (off_t)length) == 0);
  return 1;
}

static bool write_all(int fd, const char *text, size_t length) {
  while (length > 0) {
    const ssize_t written = write(fd, text, length);
    if (written < 0 && errno != EINTR) {
      return false;
    }
    if (written > 0) {
      text += written;
      length -= (size_t)written;
    }
  }
  return true;
}

/* Letters that mkostemp chooses, at the end of a name that has an X for each. */
#define CHOSEN 6

/* beside(path, text) -> the name of a new file with this text, in the folder of `path`, which it is
 * to replace; nil and why not. Nobody can predict the name, and only the owner may read or write
 * it, as far as `path`, if it exists, allows the owner. */
static int terminal_beside(lua_State *L) {
  size_t path_length, length;
  const char *path = luaL_checklstring(L, 1, &path_length);
  const char *text = luaL_checklstring(L, 2, &length);
  char *name = lua_newuserdatauv(L, path_length + 1 + CHOSEN + 1, 0); /* Lua's, whatever fails */
  struct stat before;
  mode_t mode = S_IRUSR | S_IWUSR;
  memcpy(name, path, path_length);
  name[path_length] = '.';
  memset(name + path_length + 1, 'X', CHOSEN);
  name[path_length + 1 + CHOSEN] = '\0';
  if (stat(path, &before) == 0) {
    mode &= before.st_mode;
  }
  const int fd = mkostemp(name, O_CLOEXEC); /* O_EXCL, which follows no link; for the owner alone */
  int problem = fd < 0 ? errno : 0;
  if (fd >= 0) {
    const bool is_stricter = mode != (S_IRUSR | S_IWUSR);
    if (!write_all(fd, text, length) || (is_stricter && fchmod(fd, mode) != 0)) {
      problem = errno;
    }
    if (close(fd) != 0 && problem == 0) {
      problem = errno;
    }
    if (problem != 0) {
      (void)unlink(name);
    }
  }
  if (problem != 0) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, strerror(problem));
    return 2;
  }
  lua_pushstring(L, name);
  return 1;
}

void rc_terminal_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"is_terminal", terminal_is},  {"columns", terminal_columns},
      {"catch", terminal_catch},     {"release", terminal_release},
      {"default", terminal_default}, {"occupy", terminal_occupy},
      {"replace", terminal_replace}, {"fail_writes", terminal_fail_writes},
      {"caught", terminal_caught},   {"truncate", terminal_truncate},
      {"beside", terminal_beside},   {NULL, NULL}};
  lua_createtable(L, 0, 11);
  luaL_setfuncs(L, functions, 0);
  lua_setfield(L, -2, "terminal");
}
