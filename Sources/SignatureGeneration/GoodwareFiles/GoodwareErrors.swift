// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// There is no goodware index, or no source for one, where one was named.
    public static let goodwareMissing = EpitopeError.Code("goodware-missing")
    /// A goodware index is cut off, changed, or no goodware index.
    public static let goodwareDamaged = EpitopeError.Code("goodware-damaged")
    /// A goodware index is in a form that this program does not read.
    public static let goodwareVersion = EpitopeError.Code("goodware-version")
    /// A goodware index could not be written.
    public static let goodwareUnwritable = EpitopeError.Code("goodware-unwritable")
}

extension EpitopeError {
    static func damaged(_ path: String, _ reason: String) -> EpitopeError {
        EpitopeError(
            .goodwareDamaged, "the goodware index \(path) cannot be trusted: \(reason)",
            remedy: "build it again with epitope goodware build")
    }

    static func unwritable(_ path: String, _ reason: String) -> EpitopeError {
        EpitopeError(
            .goodwareUnwritable, "the goodware index \(path) could not be written: \(reason)",
            remedy: "check the folder's permissions and its free space; an index that was there is unchanged")
    }
}
