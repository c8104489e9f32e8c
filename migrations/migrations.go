// Package migrations holds the SQL that builds the schema, step by step, and
// schema.sql, what the steps must end in. It never runs anything.
//
// Steps only go forward. DDL commits by itself, so each statement is written
// to be run again: a kill between a statement and its version row is harmless.
package migrations
