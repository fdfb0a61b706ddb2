/* SPDX-License-Identifier: ISC */
/* runner.c - the only main() of the unit tests: each test program links this and one make_suite() */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* The suite of the test program; made once, owned by the runner. */
Suite *make_suite(void);

int main(void)
{
    SRunner *runner;
    int run, failed;

    /* A bound for what hangs, not for a machine that is slow. */
    setenv("CK_DEFAULT_TIMEOUT", "60", 0);
    runner = srunner_create(make_suite());
    srunner_run_all(runner, CK_ENV);
    run = srunner_ntests_run(runner);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (run == 0)
        fputs("no test was run\n", stderr);
    return run > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
