/* Says hello, what it was told, how late it is, and sleeps for a while: the contract from C. */
#include "nexus.h"

/* How long it sleeps, ns. */
static const uint64_t nap = 5000000;

/* ns since boot. */
static uint64_t now(void)
{
    struct nx_time time = { 0 };
    nx_tick(NX_CAP_SLOT_CLOCK, NX_CALL_TICK_OP_TIME, &time);
    return time.now;
}

int main(int argc, char **argv)
{
    nx_print("Hello from C, contract ");
    nx_print_number(nx_table->abi_major, 10);
    nx_print(".\n");
    for (int i = 0; i < argc; i++) {
        nx_print("argument ");
        nx_print(argv[i]);
        nx_print("\n");
    }
    uint64_t start = now();
    uint64_t deadline = start + nap;
    struct nx_result slept = nx_wait(NULL, 0, &deadline);
    if (slept.status != NX_TIMED_OUT || now() < deadline) {
        nx_print("woken too early\n");
        return 1;
    }
    nx_print("slept\n");
    /* What a program does not have it cannot use. */
    return nx_prov(NX_CAP_SLOT_CLOCK, NX_CALL_PROV_OP_APPEND, NULL, 0).status < 0 ? 0 : 2;
}
