package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"cancale/internal/config"
)

const (
	// quietFor is how long the agent must do nothing to have come to the end.
	quietFor  = 2 * time.Second
	lookAgain = 20 * time.Millisecond
	// ticksPerSecond is the unit of times in /proc (sysconf(_SC_CLK_TCK)).
	ticksPerSecond = 100
)

// measureResync ends the agent and lets it begin anew: the first thing that it
// does is to go over everything, and nothing differs.
func (in *installation) measureResync(ctx context.Context, n int) error {
	db, err := in.mariadb()
	if err != nil {
		return err
	}
	defer db.Close()
	if err := in.refresh(ctx); err != nil {
		return err
	}
	old := in.pid("agent")
	before, err := questions(ctx, db)
	if err != nil {
		return err
	}
	if err := syscall.Kill(old, syscall.SIGTERM); err != nil {
		return fmt.Errorf("signal agent: %w", err)
	}
	// While a service is missing, `cancale status` fails: what it reads is looked
	// at itself.
	agent := old
	for agent == old || agent == 0 {
		services, err := config.ReadStatus(in.layout)
		if err != nil {
			return err
		}
		for _, s := range services.Services {
			if s.Name == "agent" {
				agent = s.PID
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookAgain):
		}
	}
	began, last, changed := time.Now(), -1, time.Now()
	for time.Since(changed) < quietFor {
		now, err := ticks(agent)
		if err != nil {
			return err
		}
		if now > last+1 { // what it does once a second is less
			last, changed = now, time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookAgain):
		}
	}
	after, err := questions(ctx, db)
	if err != nil {
		return err
	}
	if err := in.refresh(ctx); err != nil {
		return err
	}
	report(fmt.Sprintf("full resync with nothing to do, %d sites", n), "%.1f s, %.1f s of CPU, %d queries of all daemons",
		changed.Sub(began).Seconds(), float64(last)/ticksPerSecond, after-before)
	return nil
}

func (in *installation) mariadb() (*sql.DB, error) {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr = "root", "unix", in.layout.MariaDBSocket()
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// questions is how many statements the server has been sent.
func questions(ctx context.Context, db *sql.DB) (int, error) {
	var name string
	var n int
	err := db.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Questions'").Scan(&name, &n)
	return n, err
}

// ticks is the time that a process has spent on a processor (proc(5)).
func ticks(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	const user, system = 11, 12 // fields 14 and 15, of which two came before
	if len(fields) <= system {
		return 0, fmt.Errorf("process %d: no times", pid)
	}
	u, err := strconv.Atoi(fields[user])
	if err != nil {
		return 0, err
	}
	s, err := strconv.Atoi(fields[system])
	return u + s, err
}
