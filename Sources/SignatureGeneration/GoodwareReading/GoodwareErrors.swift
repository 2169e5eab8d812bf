// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// A goodware index, or a source of one, does not exist or can't be read.
    public static let goodwareMissing = EpitopeError.Code("goodware-missing")
    /// A goodware index is truncated or was changed, or the file is not a goodware index.
    public static let goodwareDamaged = EpitopeError.Code("goodware-damaged")
    /// A goodware index has a format version that this program does not read.
    public static let goodwareVersion = EpitopeError.Code("goodware-version")
    /// A goodware index was written while it was in use, so that its answers can't be trusted.
    public static let goodwareChanged = EpitopeError.Code("goodware-changed")
    /// There is an index at the path where one was to be built.
    public static let goodwareExists = EpitopeError.Code("goodware-exists")
    /// The building of an index was stopped by a signal.
    public static let goodwareStopped = EpitopeError.Code("goodware-stopped")
    /// A goodware index could not be written.
    public static let goodwareUnwritable = EpitopeError.Code("goodware-unwritable")
}

extension EpitopeError {
    package static func damaged(_ path: String, _ reason: String) -> EpitopeError {
        EpitopeError(
            .goodwareDamaged, "the goodware index \(path) cannot be trusted: \(reason)",
            remedy: "build it again with epitope goodware build")
    }

    package static func unwritable(_ path: String, _ reason: String) -> EpitopeError {
        EpitopeError(
            .goodwareUnwritable, "the goodware index \(path) could not be written: \(reason)",
            remedy: "check the folder's permissions and its free space; an existing index is unchanged")
    }
}
