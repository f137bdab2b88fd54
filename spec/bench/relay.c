/* relay.c - passes one connection on, and says when the server's first byte came:
 *
 *   relay PORT PROGRAM ARGUMENT...
 *
 * Runs the program with RELAY_PORT in its environment, a port of 127.0.0.1. Its first connection
 * there is passed on to PORT. Prints "first_byte SECONDS", on the monotonic clock that the program
 * has, too, as the first bytes of the answer arrive, before they are passed on.
 */
#define _DEFAULT_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in loopback(unsigned port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static bool write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    const ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
    if (n <= 0) {
      return false;
    }
    bytes += n;
    length -= (size_t)n;
  }
  return true;
}

static void tell_first_byte(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  (void)printf("first_byte %.6f\n", (double)now.tv_sec + (double)now.tv_nsec / 1e9);
}

static void pass_on(int client, int server) {
  static char bytes[65536];
  struct pollfd fds[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
  bool told = false;
  while (poll(fds, 2, -1) > 0) {
    for (int i = 0; i < 2; i++) {
      if (fds[i].revents == 0) {
        continue;
      }
      const ssize_t n = recv(fds[i].fd, bytes, sizeof bytes, 0);
      if (n > 0 && i == 1 && !told) {
        tell_first_byte();
        told = true;
      }
      if (n <= 0 || !write_all(fds[1 - i].fd, bytes, (size_t)n)) {
        return;
      }
    }
  }
}

int main(int count, char **arguments) {
  struct sockaddr_in own = loopback(0);
  socklen_t size = sizeof own;
  const int one = 1;
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (count < 3 || listener < 0 || bind(listener, (struct sockaddr *)&own, size) != 0 ||
      getsockname(listener, (struct sockaddr *)&own, &size) != 0 || listen(listener, 1) != 0) {
    (void)fprintf(stderr, "usage: %s PORT PROGRAM ARGUMENT...\n", arguments[0]);
    return 2;
  }
  const pid_t pid = fork();
  if (pid == 0) {
    char port[16];
    (void)snprintf(port, sizeof port, "%u", (unsigned)ntohs(own.sin_port));
    (void)setenv("RELAY_PORT", port, 1);
    (void)close(listener);
    (void)execvp(arguments[2], arguments + 2);
    perror(arguments[2]);
    _exit(127);
  }
  struct sockaddr_in target = loopback((unsigned)strtoul(arguments[1], NULL, 10));
  const int client = accept(listener, NULL, NULL);
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  if (client < 0 || server < 0 || connect(server, (struct sockaddr *)&target, sizeof target) != 0) {
    perror("relay");
    return 1;
  }
  (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  (void)setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  pass_on(client, server);
  (void)close(client);
  (void)close(server);
  int status = 0;
  (void)waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
