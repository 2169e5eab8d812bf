// SPDX-License-Identifier: Apache-2.0

/// The numbers (sids) of Epitope's rules.
///
/// By convention (published by sidallocation.org), 1,000,000 to 1,999,999 is for a site's own, hand-written rules,
/// 2,000,000 to 2,999,999 mostly for Emerging Threats, and blocks of 100,000 from 3,000,000 are assigned to publishers.
/// 3,900,000 to 3,999,999 is not assigned (looked up in November 2026). The local range is avoided on purpose: Suricata
/// rejects a rule that has the sid of a rule in another file, and there a clash is likely.
public enum SIDRange {
    /// Enough for 100,000 signatures at a time.
    public static let all: ClosedRange<UInt32> = 3_900_000...3_999_999
}
