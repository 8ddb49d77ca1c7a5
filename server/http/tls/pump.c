/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/tls/pump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/own.h"

/* How much goes one way before others have their turn. */
enum { TURN_BYTES = 256 << 10 };

enum { ENDS = EPOLLRDHUP | EPOLLHUP | EPOLLERR };

void pump_note_client(struct pump *pump, uint32_t events)
{
	pump->client_out |= (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
	if (!(events & (EPOLLIN | ENDS)))
		return;
	pump->client_in = true;
	cable_note_input(&pump->session.cable, events & ENDS);
}

void pump_note_near(struct pump *pump, uint32_t events)
{
	pump->near_out |= (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
	pump->near_in |= (events & (EPOLLIN | ENDS)) != 0;
	pump->near_closing |= (events & ENDS) != 0;
}

static void keep(struct backlog *backlog, const char *bytes, size_t length)
{
	if (length == 0)
		return;
	backlog->bytes = mem_dup_n(bytes, length);
	backlog->start = 0;
	backlog->length = length;
}

static void drop(struct backlog *backlog)
{
	free(backlog->bytes);
	*backlog = (struct backlog){0};
}

static void take(struct backlog *backlog, size_t length)
{
	backlog->start += length;
	if (backlog->start == backlog->length)
		drop(backlog);
}

/* ---- from the client ---- */

/* How much of it the near end takes. A reset that shows here does not show where it is read, behind what came
 * before. */
static size_t send_near(struct pump *pump, const char *bytes, size_t length)
{
	ssize_t sent = send(pump->near, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent >= 0) {
		pump->near_out = (size_t)sent == length;
		return (size_t)sent;
	}
	pump->near_out = errno == EINTR;
	pump->near_dead = errno != EAGAIN && errno != EINTR;
	pump->near_reset |= errno == ECONNRESET;
	return 0;
}

static void send_up(struct pump *pump, const char *bytes, size_t length)
{
	size_t sent = send_near(pump, bytes, length);

	pump->moved_bytes += length;
	keep(&pump->up, bytes + sent, length - sent);
}

static void send_up_again(struct pump *pump)
{
	const struct backlog *up = &pump->up;

	take(&pump->up, send_near(pump, up->bytes + up->start, up->length - up->start));
}

static void receive_client(struct pump *pump, char *block)
{
	size_t got = 0;

	pump->answers = false;
	switch (session_read(&pump->session, block, PUMP_BLOCK_BYTES, &got)) {
	case SESSION_DONE:
		send_up(pump, block, got);
		break;
	case SESSION_WANTS_READ:
		pump->client_in = false;
		break;
	case SESSION_WANTS_WRITE:
		pump->client_out = false;
		pump->answers = true;
		break;
	case SESSION_ENDED:
		pump->client_ended = true;
		break;
	default:
		pump->broken = true;
	}
}

static void pass_client_end(struct pump *pump)
{
	(void)shutdown(pump->near, SHUT_WR);
	pump->near_shut = true;
}

/* False: there is nothing to do for now. */
static bool step_up(struct pump *pump, char *block)
{
	if (pump->broken || pump->near_dead || pump->near_shut)
		return false;
	if (pump->up.bytes && !pump->near_out)
		return false;
	if (pump->up.bytes)
		send_up_again(pump);
	else if (pump->client_ended)
		pass_client_end(pump);
	else if (pump->client_in && (pump->client_out || !pump->answers))
		receive_client(pump, block);
	else
		return false;
	return true;
}

/* ---- to the client ---- */

static size_t send_client(struct pump *pump, const char *bytes, size_t length)
{
	size_t sent;

	switch (session_write(&pump->session, bytes, length, &sent)) {
	case SESSION_DONE:
		pump->moved_bytes += sent;
		return sent;
	case SESSION_WANTS_WRITE:
		pump->client_out = false;
		return 0;
	default:
		pump->broken = true;
		return 0;
	}
}

/* OpenSSL writes a part where the socket is full, so what is left is offered until it refuses. */
static void send_down(struct pump *pump, const char *bytes, size_t length)
{
	size_t done = 0;

	while (done < length && pump->client_out && !pump->broken)
		done += send_client(pump, bytes + done, length - done);
	keep(&pump->down, bytes + done, length - done);
}

static void send_down_again(struct pump *pump)
{
	const struct backlog *down = &pump->down;

	take(&pump->down, send_client(pump, down->bytes + down->start, down->length - down->start));
}

/* Less than was asked for is all there is, unless the end is there as well. */
static void receive_near(struct pump *pump, char *block)
{
	ssize_t got = recv(pump->near, block, PUMP_BLOCK_BYTES, MSG_DONTWAIT);

	if (got > 0) {
		pump->near_in = got == PUMP_BLOCK_BYTES || pump->near_closing;
		send_down(pump, block, (size_t)got);
	} else if (got == 0) {
		pump->near_ended = !pump->near_reset;
		pump->broken = pump->near_reset;
	} else if (errno == EAGAIN) {
		pump->near_in = false;
	} else if (errno != EINTR) {
		pump->broken = true;
	}
}

static void pass_near_end(struct pump *pump)
{
	enum session_result told = session_tell_end(&pump->session);

	if (told == SESSION_WANTS_WRITE) {
		pump->client_out = false;
		return;
	}
	(void)shutdown(pump->session.cable.fd, SHUT_WR);
	pump->client_shut = true;
}

static bool step_down(struct pump *pump, char *block)
{
	if (pump->broken || pump->client_shut)
		return false;
	if ((pump->down.bytes || pump->near_ended) && !pump->client_out)
		return false;
	if (pump->down.bytes)
		send_down_again(pump);
	else if (pump->near_ended)
		pass_near_end(pump);
	else if (pump->near_in && pump->client_out)
		receive_near(pump, block);
	else
		return false;
	return true;
}

/* ---- both ---- */

/* True: the turn was over first. */
static bool run(struct pump *pump, char *block, bool (*step)(struct pump *pump, char *block))
{
	uint64_t until = pump->moved_bytes + TURN_BYTES;

	while (step(pump, block)) {
		if (pump->moved_bytes >= until)
			return true;
	}
	return false;
}

/* What a near end that takes nothing more has sent before is passed on, then it ends as it ended. */
static bool is_over(const struct pump *pump)
{
	return pump->broken || (pump->client_shut && (pump->near_shut || pump->near_dead));
}

enum pump_state pump_move(struct pump *pump, char *block)
{
	bool more;

	cable_begin_turn(&pump->session.cable);
	more = run(pump, block, step_up);
	more |= run(pump, block, step_down);
	if (is_over(pump))
		return PUMP_OVER;
	/* Its turn was over, not what has come. */
	if (cable_has_more(&pump->session.cable) && !pump->client_in) {
		pump->client_in = true;
		more = true;
	}
	return more ? PUMP_BUSY : PUMP_WAITS;
}

static void reset(int fd)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* A reset leaves no port of ours behind that waits for a minute. Where both ways have ended nobody sees it.
 */
void pump_finish(struct pump *pump)
{
	session_finish(&pump->session);
	drop(&pump->up);
	drop(&pump->down);
	if (pump->near >= 0)
		reset(pump->near);
	own_close(&pump->near);
	if (pump->session.cable.fd >= 0 && pump->broken)
		reset(pump->session.cable.fd);
	own_close(&pump->session.cable.fd);
}
