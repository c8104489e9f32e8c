package hosting

import "time"

// NoticeLevels are the shares of a limit, in percent, of which people are told.
var NoticeLevels = []int{80, 95, 100}

// slack is how far below a level, in percent of the limit, something must fall
// before people are told of that level again: what moves around it is told once.
const slack = 2

// NoticeLevel is the level that used is at, 0 for none; was is the one it had.
func NoticeLevel(used, limit int64, was int) int {
	if limit <= 0 {
		return 0
	}
	level := 0
	for _, n := range NoticeLevels {
		share := n
		if n <= was {
			share -= slack
		}
		if used >= limit/100*int64(share) && (share < 100 || used >= limit) {
			level = n
		}
	}
	return level
}

// How long before the end of a membership its owners are told.
const (
	EndsSoon = 30 * 24 * time.Hour
	EndsNow  = 7 * 24 * time.Hour
)

// How far a membership is, as a level.
const (
	MembershipHolds = iota
	MembershipEndsSoon
	MembershipEndsNow
	MembershipEnded
)

// MembershipLevel is how near the end of a membership is.
func MembershipLevel(end, now time.Time) int {
	switch left := end.Sub(now); {
	case left <= 0:
		return MembershipEnded
	case left <= EndsNow:
		return MembershipEndsNow
	case left <= EndsSoon:
		return MembershipEndsSoon
	}
	return MembershipHolds
}
