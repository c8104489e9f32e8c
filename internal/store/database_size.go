package store

import (
	"context"
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// databaseUsageRow is a row of database_usage.
type databaseUsageRow struct {
	DatabaseID hosting.DatabaseID
	Bytes      int64
	Stopped    bool
	MeasuredAt time.Time
}

// DatabaseSize reads how large a database is and may be.
func (s *Store) DatabaseSize(ctx context.Context, scope hosting.Scope, id hosting.DatabaseID) (hosting.DatabaseSize, error) {
	c := scoped(scope, "d.account_id").and("d.id = ?", id).and("d.state <> 'removed'")
	row, err := one[sizeRow](s.db.WithContext(ctx), selectSizes+c.where(), c.args...)
	return row.size(), orNotFound(err, "database")
}

// addSizes reads the sizes of some databases.
func addSizes(db *gorm.DB, rows []DatabaseRow) error {
	if len(rows) == 0 {
		return nil
	}
	at := make(map[hosting.DatabaseID]*DatabaseRow, len(rows))
	ids := make([]hosting.DatabaseID, len(rows))
	for i := range rows {
		at[rows[i].ID], ids[i] = &rows[i], rows[i].ID
	}
	sizes, err := list[sizeRow](db, selectSizes+" WHERE d.id IN ?", ids)
	for _, size := range sizes {
		at[size.ID].Size = size.size()
	}
	return err
}

const selectSizes = "SELECT d.id, d.name, p.database_mb, COALESCE(u.bytes, 0) AS bytes, COALESCE(u.stopped, 0) AS stopped, u.measured_at" +
	" FROM hosted_databases d JOIN accounts a ON a.id = d.account_id JOIN plans p ON p.id = a.plan_id LEFT JOIN database_usage u ON u.database_id = d.id"

type sizeRow struct {
	ID         hosting.DatabaseID
	Name       hosting.DatabaseName
	DatabaseMB int `gorm:"column:database_mb"`
	Bytes      int64
	Stopped    bool
	MeasuredAt *time.Time
}

func (r sizeRow) size() hosting.DatabaseSize {
	return hosting.DatabaseSize{ID: r.ID, Name: r.Name, Bytes: r.Bytes, Limit: hosting.Bytes(r.DatabaseMB), Stopped: r.Stopped, MeasuredAt: r.MeasuredAt}
}

// DatabaseSizes lists how large the databases of the node are, and may be.
func (n *NodeStore) DatabaseSizes(ctx context.Context) ([]hosting.DatabaseSize, error) {
	rows, err := list[sizeRow](n.db.WithContext(ctx), selectSizes+" WHERE d.node_id = ? AND d.removing = 0 ORDER BY d.id", n.node.ID)
	sizes := make([]hosting.DatabaseSize, len(rows))
	for i, row := range rows {
		sizes[i] = row.size()
	}
	return sizes, err
}

// DatabaseSizeOf is the size of one of them.
func (n *NodeStore) DatabaseSizeOf(ctx context.Context, id hosting.DatabaseID) (hosting.DatabaseSize, error) {
	row, err := one[sizeRow](n.db.WithContext(ctx), selectSizes+" WHERE d.id = ? AND d.node_id = ? AND d.removing = 0", id, n.node.ID)
	return row.size(), orNotFound(err, "database")
}

// ObserveDatabaseSize notes what was measured, and whether the database is to
// stop growing.
func (n *NodeStore) ObserveDatabaseSize(ctx context.Context, now hosting.DatabaseSize) error {
	return n.diskWrite(ctx, "INSERT INTO database_usage (database_id, bytes, stopped, measured_at) VALUES (?, ?, ?, ?)"+
		" ON DUPLICATE KEY UPDATE bytes = VALUES(bytes), stopped = VALUES(stopped), measured_at = VALUES(measured_at)", now.ID, now.Bytes, now.Stopped, now.MeasuredAt.UTC())
}

// selectWishedDatabase is a database as the agent has to make it.
const selectWishedDatabase = "SELECT d.*, a.suspended AS account_suspended, EXISTS (SELECT 1 FROM database_usage u WHERE u.database_id = d.id AND u.stopped = 1) AS full"
