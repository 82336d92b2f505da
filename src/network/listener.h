/* Does anybody listen at a port in a process's network namespace? From /proc/PID/net: proc(5). */
#pragma once

#include <stdint.h>
#include <sys/types.h>

enum listener { LISTENER_UNKNOWN /* no table of it is there (SCTP) */, LISTENER_NONE, LISTENER_LOOPBACK, LISTENER_OPEN };
enum listener listener_look(pid_t pid, uint8_t protocol, uint16_t port);
