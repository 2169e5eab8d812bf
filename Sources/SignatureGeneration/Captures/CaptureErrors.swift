// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// A capture does not exist, can't be opened, is not a capture, or has an unsupported link type.
    public static let captureUnreadable = EpitopeError.Code("capture-unreadable")
}
