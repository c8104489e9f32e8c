package store

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// When a query is worth a line in the log, and how much of one.
const (
	slowQuery = 500 * time.Millisecond
	maxLogged = 600 // bytes of a query
)

// queryLog logs queries that fail or are slow, without their values. What is
// answered by a refusal or tried again is no failure.
type queryLog struct{ logger.Interface }

func newQueryLog() queryLog {
	return queryLog{logger.NewSlogLogger(slog.Default(), logger.Config{
		SlowThreshold:             slowQuery,
		LogLevel:                  logger.Warn,
		IgnoreRecordNotFoundError: true,
		ParameterizedQueries:      true,
	})}
}

// LogMode keeps the type, which GORM would otherwise lose.
func (l queryLog) LogMode(level logger.LogLevel) logger.Interface {
	return queryLog{l.Interface.LogMode(level)}
}

// ParamsFilter is what GORM asks before it writes values into a text.
func (l queryLog) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	return sql, nil
}

// Trace is called after each query.
func (l queryLog) Trace(ctx context.Context, begin time.Time, text func() (string, int64), err error) {
	if errors.Is(err, gorm.ErrDuplicatedKey) || errors.Is(err, gorm.ErrForeignKeyViolated) || errors.Is(err, context.Canceled) || again(err) {
		err = nil
	}
	l.Interface.Trace(ctx, begin, func() (string, int64) {
		sql, rows := text()
		if len(sql) > maxLogged {
			sql = sql[:maxLogged] + "…" // an INSERT of hundreds of rows says no more
		}
		return sql, rows
	}, err)
}
