package views

import (
	"context"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

// BansParams is who has to wait before signing in again.
//
//	templ BansPage(page Page, p BansParams) // GET /admin/bans
type BansParams struct {
	List     List
	Rows     []hosting.Ban
	Settings hosting.BanSettings
	CanLift  bool
	CanSet   bool // may change the settings
}

// banLabel is what is banned, in words where it has no name.
func banLabel(ctx context.Context, b hosting.Ban) string {
	if b.Label == "" {
		return i18n.T(ctx, "bans.unknown")
	}
	return b.Label
}

// banRule says when an address is banned.
func banRule(ctx context.Context, s hosting.BanSettings) string {
	if s.Failures == 0 {
		return i18n.T(ctx, "bans.rule_off")
	}
	return i18n.T(ctx, "bans.rule", s.Failures, i18n.Delay(ctx, s.For))
}
