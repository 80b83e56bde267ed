// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"math"
	"testing"
	"time"
)

func TestTime(t *testing.T) {
	for _, std := range []time.Time{
		time.Unix(0, 0), time.Unix(0, 1), time.Unix(0, -1),
		time.Date(1901, 2, 3, 4, 5, 6, 7, time.FixedZone("x", 3600)),
		time.Date(2200, 12, 31, 23, 59, 59, 999999999, time.UTC),
	} {
		at := TimeOf(std)
		if !at.Std().Equal(std) || at.Std().Location() != time.UTC {
			t.Errorf("%s became %s", std, at)
		}
	}
	if got := Time(1).String(); got != "1970-01-01T00:00:00.000000001Z" {
		t.Errorf("prints as %s", got)
	}
}

// TestTimesThatDoNotFit: a date out of range becomes the nearest there is, and
// never one of another century.
func TestTimesThatDoNotFit(t *testing.T) {
	for _, c := range []struct {
		std  time.Time
		want Time
	}{
		{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), math.MaxInt64},
		{time.Date(2262, 4, 12, 0, 0, 0, 0, time.UTC), math.MaxInt64},
		{time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), math.MinInt64},
		{time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), math.MinInt64},
		{time.Time{}, math.MinInt64},
		{Time(math.MaxInt64).Std(), math.MaxInt64},
		{Time(math.MinInt64).Std(), math.MinInt64},
	} {
		if got := TimeOf(c.std); got != c.want {
			t.Errorf("%s became %d, want %d", c.std, got, c.want)
		}
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		RoleOwner.String():       "owner",
		RoleWriter.String():      "writer",
		Role(0).String():         "role(0)",
		Role(3).String():         "role(3)",
		CategoryBackups.String(): "backups",
		Category(9).String():     "category(9)",
		LevelAdvanced.String():   "advanced",
		Level(2).String():        "level(2)",
	} {
		if got != want {
			t.Errorf("%s is called %s", want, got)
		}
	}
}

// TestNumbersOnTheWire pins what formats hold: they never change.
func TestNumbersOnTheWire(t *testing.T) {
	if RoleOwner != 1 || RoleWriter != 2 || CategoryBackups != 1 || LevelAdvanced != 1 || FormatVersion != 1 {
		t.Error("a number changed")
	}
}
