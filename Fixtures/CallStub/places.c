// SPDX-License-Identifier: Apache-2.0

/* Where code can be put. */
#include "call_stub.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A page of this program's own text, to be written over. */
__asm__(".pushsection .text\n.balign 4096\nspare_text_page:\n.fill 4096, 1, 0xcc\n.popsection\n");
extern uint8_t spare_text_page[];

static uint8_t *checked(void *page) {
    if (page == MAP_FAILED) fail("mmap");
    return page;
}

static uint8_t *map(size_t length, int protection, int flags, int descriptor) {
    return checked(mmap(NULL, length, protection, flags, descriptor, 0));
}

static void fill_file(int descriptor, const uint8_t *code, size_t length, off_t place) {
    if (descriptor < 0 || ftruncate(descriptor, 2 * PAGE) != 0 || pwrite(descriptor, code, length, place) != (ssize_t)length) fail("file");
}

static uint8_t *allow(uint8_t *page, int protection) {
    if (mprotect(page, PAGE, protection) != 0) fail("mprotect");
    return page;
}

static uint8_t *in_file(const char *place, const uint8_t *code, size_t length) {
    char shared[] = "/dev/shm/epitope-XXXXXX";
    int is_memory = strcmp(place, "memory-file") == 0;
    int is_late = strcmp(place, "late-unlink") == 0;
    int descriptor = is_memory ? memfd_create("stub", 0) : mkstemp(shared);
    fill_file(descriptor, code, length, 0);
    if (!is_memory && !is_late) unlink(shared);
    uint8_t *page = map(PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, descriptor);
    if (is_late) unlink(shared); /* it had a name when it was mapped */
    return page;
}

/* Files on a disk that only seem to stand behind the code: this program writes them itself. */
static char disk_file[] = "/var/tmp/epitope-XXXXXX";

static void remove_disk_file(void) {
    unlink(disk_file);
}

/* What follows is done by a child, which begins later than a file's time can be off; this process only waits for it. */
static void go_on_in_child(void) {
    usleep(100000);
    pid_t child = fork();
    int status = 0;
    if (child == 0) return;
    if (child < 0 || waitpid(child, &status, 0) != child) fail("child");
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 97);
}

static uint8_t *in_disk_file(const char *place, const uint8_t *code, size_t length) {
    int is_nameless = strncmp(place, "never-named", 11) == 0, is_library = strstr(place, "library") != NULL;
    int is_shared = strcmp(place, "never-named") == 0 || strcmp(place, "shared-writable") == 0;
    int is_writable = strcmp(place, "shared-writable") == 0;
    int descriptor = is_nameless ? open("/var/tmp", O_TMPFILE | O_RDWR, 0700) : mkstemp(disk_file);
    if (is_library) {
        /* What a loader maps: the headers, and the code as the one loadable segment. */
        struct {
            Elf64_Ehdr header;
            Elf64_Phdr segment;
        } image = {
            {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT}, .e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
                .e_phoff = sizeof(Elf64_Ehdr), .e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1},
            {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = PAGE, .p_vaddr = PAGE, .p_filesz = PAGE, .p_memsz = PAGE, .p_align = PAGE}};
        fill_file(descriptor, code, length, PAGE);
        if (pwrite(descriptor, &image, sizeof image, 0) != (ssize_t)sizeof image) fail("file");
    } else {
        fill_file(descriptor, is_writable ? (const uint8_t *)"" : code, is_writable ? 1 : length, 0);
    }
    /* A loader has a file open for reading alone, and closes it; a mapping keeps the rights that its descriptor had. */
    int closes = !strstr(place, "open"), is_unlinked = is_library || strcmp(place, "unlinked-file") == 0;
    if (closes && (is_unlinked || strcmp(place, "raw-file") == 0 || strcmp(place, "parents-file") == 0)) {
        close(descriptor);
        descriptor = open(disk_file, O_RDONLY);
    }
    if (strcmp(place, "parents-file") == 0) go_on_in_child();
    int protection = PROT_READ | PROT_EXEC | (is_writable ? PROT_WRITE : 0);
    uint8_t *page = NULL;
    if (is_library) {
        /* The headers, and the code behind them. */
        page = (uint8_t *)checked(mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, descriptor, 0)) + PAGE;
        checked(mmap(page, PAGE, protection, MAP_PRIVATE | MAP_FIXED, descriptor, PAGE));
    } else {
        page = checked(mmap(NULL, PAGE, protection, is_shared ? MAP_SHARED : MAP_PRIVATE, descriptor, 0));
    }
    if (is_writable) memcpy(page, code, length);
    if (closes) close(descriptor);
    if (is_unlinked) unlink(disk_file);
    if (!is_nameless && access(disk_file, F_OK) == 0) atexit(remove_disk_file);
    return page;
}

/* A mapping of a memory file that shows another page of it than it did when it was made. */
static uint8_t *remapped(const uint8_t *code, size_t length) {
    int descriptor = memfd_create("stub", 0);
    fill_file(descriptor, code, length, PAGE);
    uint8_t *page = map(PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, descriptor);
    if (remap_file_pages(page, PAGE, 0, 1, 0) != 0) fail("remap_file_pages");
    return page;
}

/* A memory file by a descriptor for reading alone: this process may not write what it runs. */
static uint8_t *shared_read_only(const uint8_t *code, size_t length) {
    char path[64];
    int descriptor = memfd_create("stub", 0);
    fill_file(descriptor, code, length, 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    int reading = open(path, O_RDONLY);
    close(descriptor);
    return map(PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, reading);
}

/* A page of a private mapping of a file that has a name, filled in by userfaultfd: no right is changed, nothing is written
 * through the mapping. */
static char filled_file[] = "/dev/shm/epitope-XXXXXX";

static void remove_filled_file(void) {
    unlink(filled_file);
}

static uint8_t *filled(const uint8_t *code, size_t length) {
    int descriptor = mkstemp(filled_file);
    if (descriptor < 0 || ftruncate(descriptor, PAGE) != 0 || atexit(remove_filled_file) != 0) fail("file");
    uint8_t *page = map(PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, descriptor), *from = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    memcpy(from, code, length);
    int faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register range = {.range = {(uintptr_t)page, PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    struct uffdio_copy copy = {.dst = (uintptr_t)page, .src = (uintptr_t)from, .len = PAGE};
    if (faults < 0 || ioctl(faults, UFFDIO_API, &api) != 0 || ioctl(faults, UFFDIO_REGISTER, &range) != 0 || ioctl(faults, UFFDIO_COPY, &copy) != 0)
        fail("userfaultfd");
    return page;
}

/* Shared memory of /dev/zero, executable and never writable here: a child writes it, and is gone. */
static uint8_t *written_by_child(const uint8_t *code, size_t length) {
    uint8_t *page = map(PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, open("/dev/zero", O_RDWR));
    pid_t child = fork();
    if (child == 0) {
        memcpy(allow(page, PROT_READ | PROT_WRITE), code, length);
        _exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) fail("child");
    return page;
}

static uint8_t *in_segment(const uint8_t *code, size_t length) {
    int segment = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0700);
    void *written = segment < 0 ? NULL : shmat(segment, NULL, 0), *page = segment < 0 ? NULL : shmat(segment, NULL, SHM_RDONLY | SHM_EXEC);
    if (segment >= 0) shmctl(segment, IPC_RMID, NULL);
    if (segment < 0 || written == (void *)-1 || page == (void *)-1) fail("shmat");
    memcpy(written, code, length);
    shmdt(written);
    return page;
}

/* In the place of the kernel's page, or written into the page itself: it can't be split, so the whole of it goes. */
static uint8_t *in_vdso(const uint8_t *code, size_t length) {
    unsigned long start = 0, end = 0;
    char line[256];
    FILE *mappings = fopen("/proc/self/maps", "r");
    while (mappings && fgets(line, sizeof line, mappings))
        if (strstr(line, "[vdso]")) sscanf(line, "%lx-%lx", &start, &end);
    if (!start) fail("/proc/self/maps");
    fclose(mappings);
    if (!code) return checked(mmap((void *)start, end - start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    if (mprotect((void *)start, end - start, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) fail("mprotect");
    memcpy((void *)start, code, length);
    if (mprotect((void *)start, end - start, PROT_READ | PROT_EXEC) != 0) fail("mprotect");
    return (uint8_t *)start;
}

uint8_t *put(const char *place, const uint8_t *code, size_t length, uint8_t *stack) {
    const int both = PROT_READ | PROT_WRITE, anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
    uint8_t *page, *on_stack = (uint8_t *)(((uintptr_t)stack + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    int protection = PROT_READ | PROT_EXEC;
    if (strcmp(place, "memory-file") == 0 || strcmp(place, "unlinked-tmpfs") == 0 || strcmp(place, "late-unlink") == 0)
        return in_file(place, code, length);
    if (strncmp(place, "never-named", 11) == 0 || strcmp(place, "shared-writable") == 0 || strcmp(place, "open-file") == 0 ||
        strcmp(place, "raw-file") == 0 || strcmp(place, "parents-file") == 0 || strcmp(place, "unlinked-file") == 0 || strcmp(place, "open-library") == 0 ||
        strcmp(place, "unpacked-library") == 0)
        return in_disk_file(place, code, length);
    if (strcmp(place, "remapped") == 0) return remapped(code, length);
    if (strcmp(place, "shared-read-only") == 0) return shared_read_only(code, length);
    if (strcmp(place, "filled") == 0) return filled(code, length);
    if (strcmp(place, "written-by-child") == 0) return written_by_child(code, length);
    if (strcmp(place, "segment") == 0) return in_segment(code, length);
    if (strcmp(place, "written-vdso") == 0) return in_vdso(code, length);
    if (strcmp(place, "written-by-device") == 0) {
        /* The spare page through /proc/self/mem: no right of the mapping is changed. */
        int memory = open("/proc/self/mem", O_RDWR);
        if (memory < 0 || pwrite(memory, code, length, (off_t)(uintptr_t)spare_text_page) != (ssize_t)length) fail("/proc/self/mem");
        close(memory);
        return spare_text_page;
    }
    if (strcmp(place, "bare-stack") == 0) return memcpy(on_stack, code, length); /* for a program whose stack is executable */
    if (strcmp(place, "large") == 0) {
        page = map(16 * PAGE, both | PROT_EXEC, anonymous, -1);
        return memcpy(page + 7 * PAGE + 1000, code, length);
    }
    if (strcmp(place, "huge-page") == 0) {
        page = memcpy(map(2 << 20, both, anonymous | MAP_HUGETLB, -1), code, length);
        if (mprotect(page, 2 << 20, protection) != 0) fail("mprotect");
        return page;
    }
    if (strcmp(place, "implied") == 0 || strcmp(place, "implied-heap") == 0) {
        int is_heap = place[7] != 0;
        /* The personality of very old programs: what can be read can be executed. */
        int old = personality(0xffffffff);
        personality((unsigned long)old | READ_IMPLIES_EXEC);
        page = is_heap ? (uint8_t *)(((uintptr_t)sbrk(2 * PAGE) + PAGE - 1) & ~(uintptr_t)(PAGE - 1)) : map(PAGE, both, anonymous, -1);
        personality((unsigned long)old);
        return memcpy(page, code, length);
    }
    if (strcmp(place, "heap") == 0) {
        page = (uint8_t *)(((uintptr_t)sbrk(2 * PAGE) + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
        protection |= PROT_WRITE;
    } else if (strcmp(place, "stack") == 0) {
        page = on_stack;
        protection |= PROT_WRITE;
    } else if (strcmp(place, "anonymous") == 0 || strcmp(place, "pkey") == 0 || strcmp(place, "moved") == 0) {
        page = map(PAGE, both, anonymous, -1);
    } else if (strcmp(place, "low") == 0) {
        page = map(PAGE, both, anonymous | MAP_32BIT, -1);
    } else if (strcmp(place, "shared-anonymous") == 0) {
        page = map(PAGE, both, MAP_SHARED | MAP_ANONYMOUS, -1);
    } else if (strcmp(place, "device") == 0) {
        page = map(PAGE, both, MAP_PRIVATE, open("/dev/zero", O_RDWR));
    } else if (strcmp(place, "over-image") == 0) {
        page = checked(mmap(spare_text_page, PAGE, both, anonymous | MAP_FIXED, -1, 0));
    } else if (strcmp(place, "over-vdso") == 0) {
        page = in_vdso(NULL, 0);
    } else if (strcmp(place, "written-page") == 0) {
        page = allow(spare_text_page, both);
    } else {
        fprintf(stderr, "unknown place %s\n", place);
        exit(98);
    }
    memcpy(page, code, length);
    if (strcmp(place, "pkey") == 0) {
        if (syscall(SYS_pkey_mprotect, page, PAGE, protection, -1) != 0) fail("pkey_mprotect");
        return page;
    }
    allow(page, protection);
    if (strcmp(place, "moved") != 0) return page;
    uint8_t *elsewhere = map(PAGE, PROT_NONE, anonymous, -1);
    return checked(mremap(page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere));
}
