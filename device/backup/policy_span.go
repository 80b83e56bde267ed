// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/solekey/solekey/protocol"
)

// Span is a length of time as people count it, as in 1y5m7d2h.
type Span struct {
	Years, Months, Days, Hours int
}

// maxSpan bounds each number of a span.
const maxSpan = 1 << 20

// ParseSpan reads a span.
func ParseSpan(text string) (Span, error) {
	var s Span
	units := map[byte]*int{'y': &s.Years, 'm': &s.Months, 'd': &s.Days, 'h': &s.Hours}
	bad := protocol.Errorf(protocol.KindUsage, "%q is no length of time; write it as in 1y5m7d2h", text)
	for rest := text; ; {
		end := strings.IndexAny(rest, "ymdh")
		if end <= 0 {
			return Span{}, bad
		}
		n, err := strconv.Atoi(rest[:end])
		unit := units[rest[end]]
		if err != nil || n < 0 || n > maxSpan || unit == nil || *unit != 0 {
			return Span{}, bad
		}
		*unit = n
		if rest = rest[end+1:]; rest == "" {
			return s, nil
		}
	}
}

// IsZero reports whether the span is empty.
func (s Span) IsZero() bool { return s == Span{} }

// String writes the span as ParseSpan reads it.
func (s Span) String() string {
	var text strings.Builder
	for _, part := range []struct {
		n    int
		unit string
	}{{s.Years, "y"}, {s.Months, "m"}, {s.Days, "d"}, {s.Hours, "h"}} {
		if part.n != 0 {
			fmt.Fprintf(&text, "%d%s", part.n, part.unit)
		}
	}
	if text.Len() == 0 {
		return "0h"
	}
	return text.String()
}

// before returns the time that lies so long before another.
func (s Span) before(t time.Time) time.Time {
	return t.AddDate(-s.Years, -s.Months, -s.Days).Add(-time.Duration(s.Hours) * time.Hour)
}
