// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// A capture does not exist, can't be opened, is not a capture, or has an unsupported link type.
    public static let captureUnreadable = EpitopeError.Code("capture-unreadable")
    /// A capture has no bytes yet, or not even a whole header: a recorder has just begun it.
    public static let captureEmpty = EpitopeError.Code("capture-empty")
}
