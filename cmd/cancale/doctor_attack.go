package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/host"
	"cancale/internal/hostile"
	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

const (
	// attackLabel marks the two associations that are attacked; with it those of
	// a run that was killed are found again.
	attackLabel = "cancale doctor --attack"
	// The victim's name differs from the attacker's by what "_" stands for in a
	// grant.
	attackerName, victimName = "doctor-attack-", "doctor1attack-"

	attackReady = 2 * time.Minute // for two sites and two databases to be live
	attackGone  = 2 * time.Minute // for all of it to be gone
)

// attack makes two sites, lets one attack the other with all that is harmless to
// an installation at work, and removes both, however that ends.
func (d *doctor) attack(ctx context.Context) (err error) {
	if os.Geteuid() != 0 {
		return refuseUp("up.not_root")
	}
	if !alive(d.status) {
		return hosting.Refuse(hosting.Unavailable, "", "doctor.attack_stopped", d.layout.Root)
	}
	lock, err := os.OpenFile(d.layout.In("run", "attack.lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := host.Lock(lock); err != nil {
		return hosting.Refuse(hosting.Conflict, "", "doctor.attack_running")
	}
	if d.store, err = openStore(ctx, d.layout); err != nil {
		return err
	}
	defer d.store.Close()
	if err := d.attackOver(ctx); err != nil { // of a run that was killed
		return err
	}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), attackGone)
		defer cancel()
		gone := d.attackOver(clean)
		d.note(ctx, "attack.removed", "", gone, "doctor.attack_left", attackLabel)
		err = errors.Join(err, ctx.Err())
	}()
	target, err := d.targets(ctx)
	if err != nil {
		d.note(ctx, "attack.sites", "", errors.New(explain(ctx, err).Message), "doctor.attack_sites")
		return nil
	}
	d.note(ctx, "attack.sites", target.Attacker.Host+", "+target.Victim.Host, nil, "")
	findings, err := hostile.Attack(ctx, target)
	for _, f := range findings {
		var found error
		remedy := "doctor.attack_succeeded"
		if len(f.Problems) > 0 {
			found = errors.New(strings.Join(f.Problems, "; "))
		}
		if f.Untried {
			remedy = "doctor.attack_sites"
		}
		d.note(ctx, "attack."+f.Group, i18n.T(ctx, "doctor.attacks", f.Attacks), found, remedy)
	}
	if err != nil && ctx.Err() == nil {
		d.note(ctx, "attack.means", "", err, "doctor.attack_sites")
	}
	return nil
}

// attackOver removes everything that was made to be attacked, and waits until
// the machine is clean.
func (d *doctor) attackOver(ctx context.Context) error {
	for {
		left := 0
		rows, err := everything(func(page int) ([]store.AccountRow, int, error) {
			return d.store.Accounts(ctx, d.scope(hosting.AccountRead), store.AccountFilter{Search: attackLabel, Page: page, PerPage: perPage})
		})
		if err != nil {
			return err
		}
		for _, row := range rows {
			name := string(row.Name)
			if row.Label != attackLabel || !strings.HasPrefix(name, attackerName) && !strings.HasPrefix(name, victimName) {
				continue // somebody else's
			}
			left++
			if !row.Removing {
				if err := d.store.PurgeAccount(ctx, d.actor, row.ID); err != nil {
					return err
				}
			}
		}
		if left == 0 {
			return nil
		}
		if _, err := d.store.Sweep(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sweepEvery):
		}
	}
}

// targets makes the two sites and waits until they are live.
func (d *doctor) targets(ctx context.Context) (hostile.Target, error) {
	target := hostile.Target{Layout: d.layout, Status: d.status, Local: d.address()}
	ctx, cancel := context.WithTimeout(ctx, attackReady)
	defer cancel()
	var random [4]byte
	_, _ = rand.Read(random[:])
	end := hex.EncodeToString(random[:])
	plan, err := d.attackPlan(ctx)
	if err != nil {
		return target, err
	}
	if target.Victim, err = d.throwAway(ctx, victimName+end, "victim", plan); err != nil {
		return target, err
	}
	target.Attacker, err = d.throwAway(ctx, attackerName+end, "attacker", plan)
	return target, err
}

// attackPlan is one that has room for what is attacked.
func (d *doctor) attackPlan(ctx context.Context) (hosting.PlanName, error) {
	plans, err := d.store.Plans(ctx, d.scope(hosting.AdminPlans))
	if err != nil {
		return "", err
	}
	for _, p := range plans {
		if p.CheckRoom("sites", hosting.Usage{}) == nil && p.CheckRoom("databases", hosting.Usage{}) == nil && p.CheckRoom("ftp_logins", hosting.Usage{}) == nil {
			return p.Name, nil
		}
	}
	return "", hosting.Refuse(hosting.OverLimit, "", "doctor.attack_plan")
}

func (d *doctor) throwAway(ctx context.Context, name, role string, plan hosting.PlanName) (m hostile.Member, err error) {
	account, err := d.store.CreateAccount(ctx, d.actor, hosting.AccountSpec{Name: hosting.AccountName(name), Label: attackLabel, Plan: plan})
	if err != nil {
		return m, err
	}
	host, err := hosting.ParseHostname(role + "." + name + ".example")
	if err != nil {
		return m, err
	}
	site, err := d.store.CreateSite(ctx, d.actor, account.ID, hosting.SiteSpec{Host: host, DocumentRoot: hosting.DefaultDocumentRoot, PHP: hosting.DefaultPHPVersion})
	if err != nil {
		return m, err
	}
	databaseName, err := hosting.ParseDatabaseName(account.Name, "blog")
	if err != nil {
		return m, err
	}
	database, databasePassword, err := d.store.CreateDatabase(ctx, d.actor, account.ID, databaseName)
	if err != nil {
		return m, err
	}
	login, password, err := d.store.CreateFTPLogin(ctx, d.actor, account.ID, hosting.FTPSpec{Login: hosting.FTPName(name), Site: site.ID})
	if err != nil {
		return m, err
	}
	for key, sync := range map[hosting.Key]hosting.Sync{
		{Resource: hosting.ResourceSite, ID: uint64(site.ID)}:         site.Sync,
		{Resource: hosting.ResourceDatabase, ID: uint64(database.ID)}: database.Sync,
	} {
		now, err := d.store.Wait(ctx, key, sync.Generation)
		if err == nil && now.State != hosting.Live {
			err = problemOf(ctx, now)
		}
		if err != nil {
			return m, fmt.Errorf("%s: %w", name, err)
		}
	}
	return hostile.Member{
		Account: name, Host: host.String(), HomeToken: string(site.HomeToken), SocketToken: string(site.SocketToken), UID: int(site.UID),
		Login: string(login.Login), Password: password, Database: string(database.Name), DatabasePassword: databasePassword,
	}, nil
}
