package hosting

import (
	"testing"
	"time"
)

func TestEachLevelIsToldOnce(t *testing.T) {
	const limit = 1000
	for _, c := range []struct {
		used, limit int64
		was, want   int
	}{
		{0, limit, 0, 0},
		{799, limit, 0, 0},
		{800, limit, 0, 80},
		{949, limit, 80, 80},
		{950, limit, 0, 95},
		{999, limit, 95, 95},
		{1000, limit, 95, 100},
		{5000, limit, 0, 100},
		{795, limit, 80, 80},
		{779, limit, 80, 0},
		{985, limit, 100, 100},
		{970, limit, 100, 95},
		{100, limit, 100, 0},
		{935, limit, 95, 95},
		{929, limit, 95, 80},
		{5000, Unlimited, 0, 0},
		{5, 0, 0, 0},
	} {
		if got := NoticeLevel(c.used, c.limit, c.was); got != c.want {
			t.Errorf("%d of %d after %d: %d, want %d", c.used, c.limit, c.was, got, c.want)
		}
	}
}

func TestTheEndOfAMembershipComesNearer(t *testing.T) {
	now := time.Now()
	for left, want := range map[time.Duration]int{
		40 * 24 * time.Hour: MembershipHolds, 30 * 24 * time.Hour: MembershipEndsSoon, 8 * 24 * time.Hour: MembershipEndsSoon,
		7 * 24 * time.Hour: MembershipEndsNow, time.Minute: MembershipEndsNow, 0: MembershipEnded, -time.Hour: MembershipEnded,
	} {
		if got := MembershipLevel(now.Add(left), now); got != want {
			t.Errorf("%v: %d, want %d", left, got, want)
		}
	}
}
