// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package witness cosigns checkpoints of logs that only grow. Who sees a log's
// checkpoint with cosignatures of enough witnesses knows that everybody sees the
// same log.
//
// A Witness answers add-checkpoint of C2SP tlog-witness, for any log that speaks
// tlog-checkpoint. Its promise is in two sentences: for one log it never cosigns two
// checkpoints of which the larger is not proven to extend the smaller, and never a
// smaller one after a larger; and what it cosigns it has on disk before the
// cosignature leaves. Neither a crash nor any number of requests at once change that.
//
// A log may be audited besides: then the witness reads every entry and cosigns only
// what follows the rules of the directory, under keys of their own (package follow,
// spec/directory.md).
package witness
