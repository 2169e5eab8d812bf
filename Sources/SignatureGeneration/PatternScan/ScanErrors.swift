// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// Signatures that can't be sought: one without a fixed byte, or with a gap that no data has.
    public static let scannerUnbuildable = EpitopeError.Code("scanner-unbuildable")
    /// Hyperscan gave up in the middle of data.
    public static let scanFailed = EpitopeError.Code("scan-failed")
}
