/* SPDX-License-Identifier: Apache-2.0
 *
 * Tells the service manager that has started the daemon (systemd, or what else sets NOTIFY_SOCKET) how it
 * does. Where there is none, nothing is told. What cannot be told is logged, and is no reason not to serve.
 */
#ifndef SERVER_COMMAND_SERVICE_MANAGER_H
#define SERVER_COMMAND_SERVICE_MANAGER_H

/* It serves; the words are for people, in one line or in several that are made one. */
void service_manager_tell_ready(const char *status);

/* It reads its configuration again; service_manager_tell_ready tells how that has ended. */
void service_manager_tell_reloading(void);

/* It was told to stop. */
void service_manager_tell_stopping(void);

#endif
