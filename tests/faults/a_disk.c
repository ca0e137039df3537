/* What a disk may do, for processes that have this loaded before the C library (LD_PRELOAD).

   DISK_FOLDER names the folder whose files are meant, DISK_ORDERS a file that says what happens to them now, one word,
   looked at before each call: "full" (writes fail with ENOSPC, and nothing new can be made), "broken" (writes and syncs
   fail with EIO), "readonly" (EROFS), "slow" (each sync takes 300 ms). No such file, or an empty one: nothing happens to
   them. Memory that is mapped from a file is left alone. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The C library's own function of this name. */
#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    static struct { const char *name; void *function; } known[32];
    for (int i = 0; i < 32; i++) {
        if (known[i].name && !strcmp(known[i].name, name)) return known[i].function;
        if (!known[i].name) {
            known[i].function = dlsym(RTLD_NEXT, name);
            known[i].name = name;
            return known[i].function;
        }
    }
    return dlsym(RTLD_NEXT, name);
}

static void orders(char *word, size_t size) {
    const char *path = getenv("DISK_ORDERS");
    int saved = errno, descriptor = path ? REAL(open)(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t length = descriptor < 0 ? 0 : REAL(read)(descriptor, word, size - 1);
    if (descriptor >= 0) close(descriptor);
    word[length > 0 ? length : 0] = 0;
    errno = saved;
}

static int below(const char *path) {
    const char *folder = getenv("DISK_FOLDER");
    size_t length = folder ? strlen(folder) : 0;
    return length && strncmp(path, folder, length) == 0 && path[length] == '/';
}

static int meant(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return below(path);
}

/* The error of a write to this file now, 0 for none. */
static int writing(int descriptor) {
    char word[32];
    orders(word, sizeof word);
    if (!word[0] || !strncmp(word, "slow", 4) || !meant(descriptor)) return 0;
    if (!strncmp(word, "full", 4)) return ENOSPC;
    if (!strncmp(word, "readonly", 8)) return EROFS;
    return EIO;
}

static int syncing(int descriptor) {
    char word[32];
    orders(word, sizeof word);
    if (!word[0] || !meant(descriptor)) return 0;
    if (!strncmp(word, "slow", 4)) {
        struct timespec pause = {0, 300000000};
        nanosleep(&pause, 0);
    }
    return strncmp(word, "broken", 6) ? 0 : EIO;
}

static int opening(const char *path, int flags) {
    char word[32];
    if (!below(path) || (flags & O_ACCMODE) == O_RDONLY) return 0;
    orders(word, sizeof word);
    if (!strncmp(word, "readonly", 8)) return EROFS;
    if (!strncmp(word, "full", 4) && (flags & O_CREAT) && access(path, F_OK)) return ENOSPC;
    return 0;
}

#define REFUSE(found, value) { int error_ = (found); if (error_) { errno = error_; return value; } }

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, int); va_end(more); \
        REFUSE(opening(path, flags), -1) \
        return REAL(name)(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, int); va_end(more); \
        REFUSE(opening(path, flags), -1) \
        return REAL(name)(folder, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int d, const void *data, size_t n) { REFUSE(writing(d), -1) return REAL(write)(d, data, n); }
ssize_t writev(int d, const struct iovec *data, int n) { REFUSE(writing(d), -1) return REAL(writev)(d, data, n); }
ssize_t pwrite(int d, const void *data, size_t n, off_t at) { REFUSE(writing(d), -1) return REAL(pwrite)(d, data, n, at); }
ssize_t pwrite64(int d, const void *data, size_t n, off64_t at) { REFUSE(writing(d), -1) return REAL(pwrite64)(d, data, n, at); }
int fsync(int d) { REFUSE(syncing(d), -1) return REAL(fsync)(d); }
int fdatasync(int d) { REFUSE(syncing(d), -1) return REAL(fdatasync)(d); }
int ftruncate(int d, off_t n) { REFUSE(writing(d), -1) return REAL(ftruncate)(d, n); }
int ftruncate64(int d, off64_t n) { REFUSE(writing(d), -1) return REAL(ftruncate64)(d, n); }
int fallocate(int d, int how, off_t at, off_t n) { REFUSE(writing(d), -1) return REAL(fallocate)(d, how, at, n); }
int fallocate64(int d, int how, off64_t at, off64_t n) { REFUSE(writing(d), -1) return REAL(fallocate64)(d, how, at, n); }
int posix_fallocate(int d, off_t at, off_t n) { int found = writing(d); return found ? found : REAL(posix_fallocate)(d, at, n); }
