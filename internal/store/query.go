package store

import (
	"slices"
	"strings"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// conditions are the parts of a WHERE, all of which must hold, and their
// arguments.
type conditions struct {
	parts []string
	args  []any
}

// scoped begins with what a scope allows to see. The zero Scope sees nothing.
func scoped(scope hosting.Scope, column string) *conditions {
	c := &conditions{}
	if scope.All() {
		return c
	}
	accounts := scope.Accounts()
	if len(accounts) == 0 {
		return c.and("1 = 0")
	}
	return c.and(column+" IN ?", accounts)
}

func (c *conditions) and(part string, args ...any) *conditions {
	c.parts = append(c.parts, "("+part+")")
	c.args = append(c.args, args...)
	return c
}

// where is the clause, or nothing.
func (c *conditions) where() string {
	if len(c.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.parts, " AND ")
}

// with gives the arguments, followed by more.
func (c *conditions) with(more ...any) []any {
	return append(append([]any{}, c.args...), more...)
}

const (
	defaultPerPage = 50
	maxPerPage     = 1000
)

// limits turns a page, counted from 1, into LIMIT and OFFSET.
func limits(page, perPage int) (limit, offset int) {
	if perPage <= 0 {
		perPage = defaultPerPage
	}
	perPage = min(perPage, maxPerPage)
	return perPage, max(page-1, 0) * perPage
}

// found is one page of the ids that a search finds, and how many those are. It
// is the looking that a search costs, so that all is looked at once and not a
// second time to be counted.
func found[T any](db *gorm.DB, limit, offset int, query string, args ...any) (ids []T, total int, err error) {
	all, err := list[T](db, query, args...)
	from := min(offset, len(all))
	return all[from:min(from+limit, len(all))], len(all), err
}

// order is an ORDER BY of known columns only. "-" before the name turns it;
// an unknown name is the first of fallback. id makes it exact, so that no row
// is on two pages.
func order(sort string, columns map[string]string, fallback, id string) string {
	name, down := strings.CutPrefix(sort, "-")
	column, known := columns[name]
	if !known {
		column, down = columns[fallback], false
	}
	direction := ""
	if down {
		direction = " DESC"
	}
	return " ORDER BY " + column + direction + ", " + id + direction
}

// like makes a pattern that finds text anywhere.
func like(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.TrimSpace(strings.ToValidUTF8(text, "\uFFFD"))) + "%"
}

// insert adds rows of which nobody asks what identifiers they get: to ask takes
// the right to read the table, which those who only note things do not have.
func insert[T any](db *gorm.DB, table, columns string, rows []T, values func(T) []any) error {
	row := "(?" + strings.Repeat(", ?", strings.Count(columns, ",")) + ")"
	for batch := range slices.Chunk(rows, insertBatch) {
		args := make([]any, 0, len(batch)*(strings.Count(columns, ",")+1))
		for _, r := range batch {
			args = append(args, values(r)...)
		}
		query := "INSERT INTO " + table + " (" + columns + ") VALUES " + row + strings.Repeat(", "+row, len(batch)-1)
		if err := db.Exec(query, args...).Error; err != nil {
			return err
		}
	}
	return nil
}
