/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog_trends.h"

#include <math.h>

#include "common/mem.h"
#include "server/store/catalog/catalog_rows.h"

enum { DAY_S = 86400, HALF_LIFE_S = 7 * DAY_S, TREND_SCALE = 1000000, FORGET_MAX = 1000 };

enum statement { FIND_TREND, COUNT_DOWNLOADS, COUNT_DAY, FORGET_DAYS, LIST_DAYS };

static const char *const sql[] = {
	[FIND_TREND] = "SELECT trend FROM modules WHERE id = ?1",
	[COUNT_DOWNLOADS] = "UPDATE modules SET downloads = downloads + ?2, trend = ?3 WHERE id = ?1",
	[COUNT_DAY] =
		"INSERT INTO download_days (module_id, day, downloads) VALUES (?1, ?2, ?3)"
		" ON CONFLICT (module_id, day) DO UPDATE SET downloads = downloads + excluded.downloads",
	[FORGET_DAYS] = "DELETE FROM download_days WHERE (module_id, day) IN"
			" (SELECT module_id, day FROM download_days WHERE day < ?1 LIMIT ?2)",
	[LIST_DAYS] = "SELECT d.day, d.downloads FROM modules m JOIN download_days d ON d.module_id = m.id"
		      " WHERE m.handle = ?1 AND d.day > ?2 ORDER BY d.day",
};

/* The logarithm of a sum of which the logarithms are known. */
static double add_logarithms(double a, double b)
{
	return fmax(a, b) + log2(1 + exp2(-fabs(a - b)));
}

static int64_t trend_after(int64_t trend, int64_t count, int64_t at_s)
{
	double added = (double)at_s / HALF_LIFE_S + log2((double)(count > 0 ? count : 1));
	double all = trend > 0 ? add_logarithms((double)trend / TREND_SCALE, added) : added;

	return (int64_t)(all * TREND_SCALE);
}

static bool find_trend(struct txn *txn, int64_t module_id, int64_t *out, struct err *err)
{
	AUTO_ROWS struct rows *rows = txn_query(txn, sql[FIND_TREND], VALUES(v_int(module_id)));

	*out = rows_next(rows) ? rows_int(rows, 0) : 0;
	return rows_done(rows, err);
}

bool trend_record(struct txn *txn, int64_t module_id, int64_t count, int64_t at_s, struct err *err)
{
	int64_t trend;

	return find_trend(txn, module_id, &trend, err) &&
	       txn_run(txn, sql[COUNT_DOWNLOADS],
		       VALUES(v_int(module_id), v_int(count), v_int(trend_after(trend, count, at_s))), err) &&
	       txn_run(txn, sql[COUNT_DAY], VALUES(v_int(module_id), v_int(at_s / DAY_S), v_int(count)), err);
}

bool trend_forget(struct txn *txn, int64_t now_s, struct err *err)
{
	return txn_run(
		txn, sql[FORGET_DAYS], VALUES(v_int(now_s / DAY_S - TREND_DAYS + 1), v_int(FORGET_MAX)), err);
}

bool catalog_list_download_days(struct catalog *catalog, const char *handle, int64_t now_s,
	struct day_downloads **out, size_t *count, struct err *err)
{
	AUTO_FREE struct day_downloads *days = NULL;
	size_t found = 0, capacity = 0;
	AUTO_TXN struct txn *txn = NULL;

	if (!db_read(catalog->db, &txn, err))
		return false;
	AUTO_ROWS struct rows *rows =
		txn_query(txn, sql[LIST_DAYS], VALUES(v_text(handle), v_int(now_s / DAY_S - TREND_DAYS)));
	while (rows_next(rows)) {
		MEM_GROW(days, found, capacity);
		days[found++] = (struct day_downloads){rows_int(rows, 0), rows_int(rows, 1)};
	}
	if (!rows_done(rows, err))
		return false;
	*out = TAKE(days);
	*count = found;
	return true;
}
