package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// NodeStore is the agent's door to the database: what should be on its node,
// and how far it is. Its database user may not write anything else.
type NodeStore struct {
	db   *gorm.DB
	node hosting.Node
}

// lease is how long a claimed thing is the agent's: after that it is due
// again, so that nothing is lost with an agent that dies.
const lease = time.Minute

// OpenNode opens the database as the agent of the named node.
func OpenNode(ctx context.Context, cfg Config, node string) (*NodeStore, error) {
	db, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	row, err := one[hosting.Node](db.WithContext(ctx), "SELECT * FROM nodes WHERE name = ?", node)
	if err != nil {
		_ = closeDB(db)
		return nil, fmt.Errorf("store: node %s: %w", node, err)
	}
	return &NodeStore{db: db, node: row}, nil
}

// Close ends all connections.
func (n *NodeStore) Close() error { return closeDB(n.db) }

// Node is the node whose agent this is.
func (n *NodeStore) Node() hosting.Node { return n.node }

// Claim takes up what is due, the longest waiting first, and marks it as being
// applied. What is not observed in time is due again.
func (n *NodeStore) Claim(ctx context.Context, limit int) ([]hosting.Key, error) {
	at := now()
	due, err := list[dueRow](n.db.WithContext(ctx),
		"(SELECT 'site' AS resource, id, due_at FROM sites WHERE node_id = ? AND due_at <= ? AND state <> 'removed' ORDER BY due_at LIMIT ?)"+
			" UNION ALL (SELECT 'database', id, due_at FROM hosted_databases WHERE node_id = ? AND due_at <= ? AND state <> 'removed' ORDER BY due_at LIMIT ?)"+
			" ORDER BY due_at, resource DESC, id LIMIT ?",
		n.node.ID, at, limit, n.node.ID, at, limit, limit)
	if err != nil || len(due) == 0 {
		return nil, err
	}
	keys := make([]hosting.Key, len(due))
	ids := map[hosting.Resource][]uint64{}
	for i, row := range due {
		keys[i] = hosting.Key{Resource: row.Resource, ID: row.ID}
		ids[row.Resource] = append(ids[row.Resource], row.ID)
	}
	err = transact(ctx, n.db, func(db *gorm.DB) error {
		for resource, ids := range ids {
			table, err := tableOf(resource)
			if err != nil {
				return err
			}
			// Only what is still due: a wish made meanwhile keeps its own time.
			err = db.Exec("UPDATE "+table+" SET changed_at = IF(removing OR state = 'applying', changed_at, ?), state = IF(removing, 'removing', 'applying'), due_at = ? WHERE id IN ? AND due_at <= ? AND state <> 'removed'",
				at, at.Add(lease), ids, at).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrap("claim", err)
	}
	return keys, nil
}

type dueRow struct {
	Resource hosting.Resource
	ID       uint64
	DueAt    time.Time
}

// All names everything that the node has, or has to remove.
func (n *NodeStore) All(ctx context.Context) ([]hosting.Key, error) {
	return list[hosting.Key](n.db.WithContext(ctx),
		"SELECT 'site' AS resource, id FROM sites WHERE node_id = ? AND state <> 'removed'"+
			" UNION ALL SELECT 'database', id FROM hosted_databases WHERE node_id = ? AND state <> 'removed'", n.node.ID, n.node.ID)
}

// Site reads what a site of the node should be.
func (n *NodeStore) Site(ctx context.Context, id hosting.SiteID) (hosting.Site, error) {
	db := n.db.WithContext(ctx)
	sites, err := list[hosting.Site](db, selectWishedSite+fromSites+" WHERE s.id = ? AND s.node_id = ?", id, n.node.ID)
	if err == nil && len(sites) == 0 {
		err = orNotFound(errNoRow, "site")
	}
	if err != nil {
		return hosting.Site{}, err
	}
	err = addAliases(db, sites, func(s *hosting.Site) *hosting.Site { return s })
	return sites[0], err
}

// Database reads what a database of the node should be.
func (n *NodeStore) Database(ctx context.Context, id hosting.DatabaseID) (hosting.Database, error) {
	db := n.db.WithContext(ctx)
	rows, err := list[hosting.Database](db, selectWishedDatabase+fromDatabases+" WHERE d.id = ? AND d.node_id = ?", id, n.node.ID)
	if err == nil && len(rows) == 0 {
		err = orNotFound(errNoRow, "database")
	}
	if err != nil {
		return hosting.Database{}, err
	}
	err = n.addSignIns(db, rows, " AND x.database_id = ?", id)
	return rows[0], err
}

// Observe notes what is. A word about an older generation is dropped: the
// newer wish is due already. A zero retryAt is never.
func (n *NodeStore) Observe(ctx context.Context, key hosting.Key, generation uint64, state hosting.State, problem hosting.Message, retryAt time.Time) error {
	table, err := tableOf(key.Resource)
	if err != nil {
		return err
	}
	if key.Resource == hosting.ResourceFTP {
		return errors.New("store: observe: nobody applies an FTP login")
	}
	text, err := json.Marshal(problem)
	if err != nil {
		return fmt.Errorf("store: observe: %w", err)
	}
	if retryAt.IsZero() {
		retryAt = never
	}
	err = transact(ctx, n.db, func(db *gorm.DB) error {
		// MariaDB assigns from left to right: what looks at the old state first.
		return db.Exec("UPDATE "+table+" SET changed_at = IF(state = ?, changed_at, ?), attempts = IF(? = 'failed', attempts + 1, 0), observed = ?, state = ?, problem = ?, due_at = ?"+
			" WHERE id = ? AND node_id = ? AND generation = ? AND state <> 'removed'",
			state, now(), state, generation, state, string(text), retryAt.UTC(), key.ID, n.node.ID, generation).Error
	})
	if err != nil {
		return wrap("observe", err)
	}
	return nil
}
