// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// A settings file, or the folder of those beside it, can't be read.
    public static let configurationMissing = EpitopeError.Code("configuration-missing")
    /// A settings file has an unknown setting, or a value out of bounds.
    public static let configurationInvalid = EpitopeError.Code("configuration-invalid")
}
