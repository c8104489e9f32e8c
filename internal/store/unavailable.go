package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"cancale/internal/hosting"

	mysqldriver "github.com/go-sql-driver/mysql"
)

// patience is how long MariaDB may take for one answer, or to take one question.
// None of ours is as long; who waits for a page is told then.
const patience = 12 * time.Second

// Error numbers of MariaDB (mysqld_error.h) that say that it cannot work now.
const (
	cannotWrite    = 3 // EE_WRITE: of a file, mostly for want of room
	noMemory       = 5 // EE_OUTOFMEMORY
	tooManyInAll   = 1040
	shuttingDown   = 1053
	diskFull       = 1021
	storageEngine  = 1030
	noBuffer       = 1037
	noSortBuffer   = 1038
	outOfResources = 1041
	tableFull      = 1114
	noThread       = 1135
	tooManyOfUser  = 1203
	readOnlyOption = 1290
	readOnlyMode   = 1836
	killed         = 1927
)

// asRefusal makes of an error that only says that MariaDB cannot be used now
// one that people can be told.
func asRefusal(err error) error {
	if err == nil {
		return nil
	}
	if _, refused := errors.AsType[*hosting.Error](err); refused {
		return err
	}
	key := ""
	_, network := errors.AsType[*net.OpError](err)
	if e, ok := errors.AsType[*mysqldriver.MySQLError](err); ok {
		switch e.Number {
		case readOnlyMode:
			key = "store.read_only"
		case readOnlyOption:
			if strings.Contains(e.Message, "read-only") {
				key = "store.read_only"
			}
		case diskFull, tableFull, cannotWrite:
			key = "store.full"
		case storageEngine:
			if strings.Contains(e.Message, "28") { // ENOSPC
				key = "store.full"
			}
		case noMemory, noBuffer, noSortBuffer, outOfResources, noThread:
			key = "store.memory"
		case tooManyInAll, tooManyOfUser, lockWaitTimeout:
			key = "store.busy"
		case shuttingDown, killed:
			key = "store.unreachable"
		}
	} else if network || errors.Is(err, mysqldriver.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		key = "store.unreachable"
	}
	if key == "" {
		return err
	}
	return &hosting.Error{Kind: hosting.Unavailable, Message: hosting.Msg(key), Err: err}
}
