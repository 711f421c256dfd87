/* SPDX-License-Identifier: PostgreSQL */
/* Disks of a test's own that can be full: memory mounted in a mount namespace that the test process makes for itself,
 * which needs user namespaces and no rights. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_SMALL_DISK_H
#define CHIME_TESTS_SUPPORT_SMALL_DISK_H

/* What is started from now on sees the disks. Once in a process, before small_disk_put. */
void small_disk_enter(void);
/* Puts a folder, with what it holds, on a disk of its own. */
void small_disk_put(const char *folder, int megabytes);
/* So many bytes are left, until small_disk_free. */
void small_disk_fill(const char *folder, long left);
void small_disk_free(const char *folder);

#endif
