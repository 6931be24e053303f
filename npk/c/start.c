/* From the kernel's entry to main, and what a compiler for C expects to find: memory functions.
 *
 * nexus compiles this file with every program in C. */
#include "nexus.h"

/* Most words that main is given; what is more is left out. */
#define WORDS 64

int main(int argc, char **argv);

const struct nx_sys_table *nx_table;

/* The end when there is no kernel to tell: a page fault at an address that nobody has. */
_Noreturn static void halt(void)
{
    for (;;) {
        (void)*(volatile uint64_t *)8;
    }
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Splits the argument block, which is the fiber's own memory, into words that end with zeros, or, where
 * there is none, words between blanks. The last word is copied, as no zero need follow it. */
static int split(char *block, size_t len, char **words, char *last)
{
    int count = 0, zeros = 0;
    for (size_t i = 0; i < len; i++) {
        zeros |= block[i] == 0;
    }
    for (size_t at = 0; at < len && count < WORDS;) {
        size_t end = at;
        while (end < len && (zeros ? block[end] != 0 : !is_blank(block[end]))) {
            end++;
        }
        if (zeros || end > at) {
            if (end == len) {
                memcpy(last, block + at, end - at);
                last[end - at] = 0;
                words[count++] = last;
            } else {
                block[end] = 0;
                words[count++] = block + at;
            }
        }
        at = end + 1;
    }
    return count;
}

/* Where the kernel enters, as the contract says. */
_Noreturn void _start(char *args, size_t len, const struct nx_sys_table *table)
{
    static char *words[WORDS + 1];
    static char last[NX_CALL_ARGS_MAX + 1];
    if (table == NULL || table->magic != NX_SYSTABLE_MAGIC ||
        table->abi_major != NX_SYSTABLE_ABI_MAJOR) {
        halt();
    }
    nx_table = table;
    int count = args != NULL && len <= NX_CALL_ARGS_MAX ? split(args, len, words, last) : 0;
    nx_exit((uintptr_t)main(count, words));
}

intptr_t nx_write(const char *bytes, size_t len)
{
    while (len != 0) {
        struct nx_slot message = { .kind = NX_VFS_CONSOLE_DATA };
        size_t part = len < NX_RING_INLINE_MAX ? len : NX_RING_INLINE_MAX;
        message.len = (uint32_t)part;
        memcpy(message.payload, bytes, part);
        struct nx_result sent = nx_send(NX_CAP_SLOT_CONSOLE_OUT, &message, 16 + part);
        if (sent.status == NX_FULL) {
            struct nx_wait_entry room = { .slot = NX_CAP_SLOT_CONSOLE_OUT,
                                          .want = NX_CALL_WANT_WRITABLE };
            sent = nx_wait(&room, 1, NULL);
            if (sent.status == 0) {
                continue;
            }
        }
        if (sent.status != 0) {
            return sent.status;
        }
        bytes += part;
        len -= part;
        /* Who prints faster than its energy lasts is throttled for it, not struck. */
        nx_yield();
    }
    return 0;
}

intptr_t nx_print(const char *text)
{
    size_t len = 0;
    while (text[len] != 0) {
        len++;
    }
    return nx_write(text, len);
}

intptr_t nx_print_number(uint64_t number, unsigned base)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[number % (base == 16 ? 16 : 10)];
        number /= base == 16 ? 16 : 10;
    } while (number != 0);
    return nx_write(digits + at, sizeof digits - at);
}

/* The compiler calls these by itself. Written so that it does not find itself in them. */
void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
    volatile char *t = to;
    const char *f = from;
    while (len-- != 0) {
        *t++ = *f++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t len)
{
    volatile char *t = to;
    const char *f = from;
    if ((uintptr_t)to <= (uintptr_t)from) {
        return memcpy(to, from, len);
    }
    while (len-- != 0) {
        t[len] = f[len];
    }
    return to;
}

void *memset(void *to, int byte, size_t len)
{
    volatile char *t = to;
    while (len-- != 0) {
        *t++ = (char)byte;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < len; i++) {
        if (x[i] != y[i]) {
            return x[i] - y[i];
        }
    }
    return 0;
}
