// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"slices"

	"github.com/solekey/solekey/protocol"
)

// TagOptions say which snapshots get which tags: those that IDs name, or where
// there is none, those that the filter chooses.
type TagOptions struct {
	IDs         []string
	Filter      Filter
	Set         []string // in the place of all tags
	Replace     bool     // whether Set counts
	Add, Remove []string
}

// Tag changes the tags of snapshots and returns those that changed, as they are
// then.
func (v *Vault) Tag(ctx context.Context, o TagOptions) ([]*Snapshot, error) {
	if err := v.mustRead(); err != nil {
		return nil, err
	}
	if o.Replace == (len(o.Add)+len(o.Remove) > 0) {
		return nil, protocol.Errorf(protocol.KindUsage, "give either --set, or --add and --remove; nothing was changed")
	}
	var changed []*Snapshot
	_, err := v.restate(ctx, func() (*statement, error) {
		var err error
		if changed, err = v.retag(&o); err != nil || len(changed) == 0 {
			return nil, err
		}
		s, err := v.stated()
		if err != nil {
			return nil, err
		}
		for _, one := range changed {
			s.tags[one.ID] = one.Tags
		}
		return s, nil
	})
	return changed, err
}

// retag returns the chosen snapshots whose tags change, with their new tags.
func (v *Vault) retag(o *TagOptions) ([]*Snapshot, error) {
	list, err := v.Snapshots()
	if err != nil {
		return nil, err
	}
	named, err := v.byIDs(o.IDs, o.Filter)
	if err != nil {
		return nil, err
	}
	var changed []*Snapshot
	for _, s := range list {
		chosen := len(o.IDs) == 0 && o.Filter.Matches(s)
		for _, n := range named {
			chosen = chosen || n.ID == s.ID
		}
		if tags := o.apply(s.Tags); chosen && !slices.Equal(tags, s.Tags) {
			s.Tags = tags
			changed = append(changed, s)
		}
	}
	return changed, nil
}

// apply returns the tags that take the place of others. An empty tag is none.
func (o *TagOptions) apply(tags []string) []string {
	var next []string
	add := func(list []string) {
		for _, tag := range list {
			if tag != "" && !slices.Contains(next, tag) && !slices.Contains(o.Remove, tag) {
				next = append(next, tag)
			}
		}
	}
	if o.Replace {
		add(o.Set)
		return next
	}
	add(tags)
	add(o.Add)
	return next
}
