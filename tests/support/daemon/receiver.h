/* SPDX-License-Identifier: PostgreSQL */
/* A small server of HTTP or SMTP of a test's own, on a loopback port that was free: it keeps what it is sent, and
 * answers what it is told to, or never. It dies with the test. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_RECEIVER_H
#define CHIME_TESTS_SUPPORT_RECEIVER_H

struct receiver;

#define RECEIVER_NEVER 0 /* takes a request and does not answer */
#define RECEIVER_MAIL 25 /* takes mail, plain and by SMTP; none for nobody@... */

struct receiver *receiver_create(int status);
void receiver_destroy(struct receiver *receiver);            /* takes NULL */
void receiver_answer(struct receiver *receiver, int status); /* from the next request on */
int receiver_port(const struct receiver *receiver);
char *receiver_got(
    const struct receiver *receiver); /* all requests so far, head and body, or what mail clients said; caller frees */

#endif
