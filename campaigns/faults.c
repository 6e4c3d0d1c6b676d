/* Calls of the system that fail where a campaign wants it: loaded before the C library (LD_PRELOAD).
 *
 * FAULTS_UNDER    a folder: calls on files outside of it are let through and not counted
 * FAULTS_CALL     which call fails: read, write, open, fsync, rename, unlink, mkdir
 * FAULTS_AT       which one of these fails, from 1 on
 * FAULTS_ERROR    its errno; or 0: then no more than the first byte is read or written; or -1: then
 *                 the process is killed in the place of the call
 * FAULTS_ALWAYS   1 if all later ones fail, too
 * FAULTS_LOG      a file for the number of each call, written at the end of the process
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { READ, WRITE, OPEN, FSYNC, RENAME, UNLINK, MKDIR, N_CALLS };
static const char *const names[N_CALLS] = {"read", "write", "open", "fsync", "rename", "unlink",
                                           "mkdir"};
static long counts[N_CALLS];
static const char *under = "";
static int failing = -1, error_number, always;
static long at;

__attribute__((constructor)) static void begin(void) {
    const char *call = getenv("FAULTS_CALL"), *value;
    under = getenv("FAULTS_UNDER") ? getenv("FAULTS_UNDER") : "/nowhere";
    for (int i = 0; call && i < N_CALLS; i++)
        if (strcmp(call, names[i]) == 0) failing = i;
    at = (value = getenv("FAULTS_AT")) ? atol(value) : 0;
    error_number = (value = getenv("FAULTS_ERROR")) ? atoi(value) : 0;
    always = (value = getenv("FAULTS_ALWAYS")) && *value == '1';
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("FAULTS_LOG");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file == NULL) return;
    for (int i = 0; i < N_CALLS; i++) fprintf(file, "%s %ld\n", names[i], counts[i]);
    fclose(file);
}

/* Count a call; whether it is to fail. */
static int fails(int call) {
    long number = __atomic_add_fetch(&counts[call], 1, __ATOMIC_SEQ_CST);
    int failed = call == failing && at > 0 && (number == at || (always && number > at));
    if (failed && error_number == -1) kill(getpid(), SIGKILL);
    return failed;
}

static int is_ours(const char *path) {
    return path[0] != '/' || strncmp(path, under, strlen(under)) == 0;
}

static int is_ours_fd(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return path[0] == '/' && is_ours(path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_PATH(call, path)          \
    if (is_ours(path) && fails(call)) { \
        errno = error_number;          \
        return -1;                     \
    }
/* With errno 0 the call does a part of its work. */
#define FAIL_FD(call, fd)                \
    if (is_ours_fd(fd) && fails(call)) { \
        errno = error_number;            \
        if (error_number) return -1;     \
        if (n > 1) n = 1;                \
    }

ssize_t read(int fd, void *data, size_t n) {
    FAIL_FD(READ, fd)
    return REAL(read)(fd, data, n);
}

ssize_t pread(int fd, void *data, size_t n, off_t place) {
    FAIL_FD(READ, fd)
    return REAL(pread)(fd, data, n, place);
}

ssize_t pread64(int fd, void *data, size_t n, off64_t place) {
    FAIL_FD(READ, fd)
    return REAL(pread64)(fd, data, n, place);
}

ssize_t write(int fd, const void *data, size_t n) {
    FAIL_FD(WRITE, fd)
    return REAL(write)(fd, data, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t place) {
    FAIL_FD(WRITE, fd)
    return REAL(pwrite)(fd, data, n, place);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t place) {
    FAIL_FD(WRITE, fd)
    return REAL(pwrite64)(fd, data, n, place);
}

int fsync(int fd) {
    size_t n = 0;
    FAIL_FD(FSYNC, fd)
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    size_t n = 0;
    FAIL_FD(FSYNC, fd)
    return REAL(fdatasync)(fd);
}

#define OPEN_MODE                           \
    mode_t mode = 0;                        \
    if (flags & (O_CREAT | O_TMPFILE)) {    \
        va_list more;                       \
        va_start(more, flags);              \
        mode = (mode_t)va_arg(more, int);   \
        va_end(more);                       \
    }

int open(const char *path, int flags, ...) {
    OPEN_MODE
    FAIL_PATH(OPEN, path)
    return REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    OPEN_MODE
    FAIL_PATH(OPEN, path)
    return REAL(open64)(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    OPEN_MODE
    FAIL_PATH(OPEN, path)
    return REAL(openat)(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    OPEN_MODE
    FAIL_PATH(OPEN, path)
    return REAL(openat64)(folder, path, flags, mode);
}

int rename(const char *from, const char *to) {
    FAIL_PATH(RENAME, to)
    return REAL(rename)(from, to);
}

int unlink(const char *path) {
    FAIL_PATH(UNLINK, path)
    return REAL(unlink)(path);
}

int unlinkat(int folder, const char *path, int flags) {
    FAIL_PATH(UNLINK, path)
    return REAL(unlinkat)(folder, path, flags);
}

int mkdir(const char *path, mode_t mode) {
    FAIL_PATH(MKDIR, path)
    return REAL(mkdir)(path, mode);
}
