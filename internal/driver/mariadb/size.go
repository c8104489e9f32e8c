package mariadb

import (
	"context"
	"fmt"

	"cancale/internal/hosting"
)

// Sizes tells how large schemas are, in bytes, as far as InnoDB keeps count:
// one cheap query for all of them. A table can be left out of that count by who
// makes it, so Size is asked from time to time.
func (d *Driver) Sizes(ctx context.Context) (map[hosting.DatabaseName]int64, error) {
	rows, err := d.db.QueryContext(ctx, "SELECT database_name, SUM(clustered_index_size + sum_of_other_index_sizes) * @@innodb_page_size FROM mysql.innodb_table_stats GROUP BY database_name")
	if err != nil {
		return nil, fmt.Errorf("mariadb: sizes: %w", err)
	}
	defer rows.Close()
	sizes := map[hosting.DatabaseName]int64{}
	for rows.Next() {
		var name string
		var size int64
		if err := rows.Scan(&name, &size); err != nil {
			return nil, fmt.Errorf("mariadb: sizes: %w", err)
		}
		sizes[hosting.DatabaseName(name)] = size
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("mariadb: sizes: %w", err)
	}
	return sizes, nil
}

// Size tells how large one schema is, whatever its tables are made of. The
// server looks at each of them.
func (d *Driver) Size(ctx context.Context, name hosting.DatabaseName) (size int64, err error) {
	err = d.db.QueryRowContext(ctx, "SELECT CAST(COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) AS SIGNED) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_TYPE <> 'VIEW'", string(name)).Scan(&size)
	if err != nil {
		return 0, d.explain(string(name), err)
	}
	return size, nil
}
