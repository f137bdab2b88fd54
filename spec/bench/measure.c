/* measure.c - runs a program and says what it cost:
 *
 *   measure SECONDS PROGRAM ARGUMENT...
 *
 * After the program's own output comes the line "measured WALL USER SYSTEM PEAK_KIB", times in
 * seconds. Its status is the program's, 124 where that was ended after SECONDS, 128 and the signal
 * where one ended it. It stays small: what a process was before exec counts for its peak memory.
 */
#define _DEFAULT_SOURCE /* wait4 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t child;
static volatile sig_atomic_t timed_out;

static void on_alarm(int signal) {
  (void)signal;
  timed_out = 1;
  (void)kill((pid_t)child, SIGKILL);
}

static double now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double seconds(struct timeval time) {
  return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

int main(int count, char **arguments) {
  struct rusage usage;
  int status = 0;
  if (count < 3) {
    (void)fprintf(stderr, "usage: %s SECONDS PROGRAM ARGUMENT...\n", arguments[0]);
    return 2;
  }
  const double start = now();
  const pid_t pid = fork();
  if (pid == 0) {
    (void)execvp(arguments[2], arguments + 2);
    perror(arguments[2]);
    _exit(127);
  }
  if (pid < 0) {
    perror("fork");
    return 1;
  }
  child = pid;
  /* signal() restarts wait4, which then finds the child ended. */
  (void)signal(SIGALRM, on_alarm);
  (void)alarm((unsigned)strtoul(arguments[1], NULL, 10));
  if (wait4(pid, &status, 0, &usage) != pid) {
    perror("wait4");
    return 1;
  }
  const double wall = now() - start;
  (void)printf("measured %.6f %.6f %.6f %ld\n", wall, seconds(usage.ru_utime),
               seconds(usage.ru_stime), usage.ru_maxrss);
  if (timed_out) {
    return 124;
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
