package store

import "context"

// Writable is nil when MariaDB takes changes: one that changes nothing is asked
// for.
func (s *Store) Writable(ctx context.Context) error {
	if err := s.db.WithContext(ctx).Exec("UPDATE nodes SET name = name WHERE id = 0").Error; err != nil {
		return wrap("writable", err)
	}
	return nil
}
