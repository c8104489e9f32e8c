// Package migrations holds the SQL that builds the schema, step by step, and
// schema.sql, what the steps must end in. It never runs anything.
//
// Steps only go forward. DDL commits by itself, so each statement is written
// to be run again: a kill between a statement and its version row is harmless.
package migrations

import "embed"

// FS holds the steps: files NNNNN_name.sql, in goose's form.
//
//go:embed 0*.sql
var FS embed.FS

// Schema is what SHOW CREATE TABLE says of every table after the last step,
// in the order of their names.
//
//go:embed schema.sql
var Schema string
