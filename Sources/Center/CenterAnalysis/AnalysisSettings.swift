// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import SettingsFiles
public import SignatureProving

extension ConfigurationFile {
    /// - Throws: `configuration-invalid` when a setting that signatures are proven with is out of its bounds.
    public static func check(_ proving: ProvingSettings) throws(EpitopeError) {
        guard !proving.isSound else { return }
        throw EpitopeError(
            .configurationInvalid,
            "a setting that signatures are proven with is out of its bounds: noiseShare is \(proving.noiseShare), or a path is empty",
            remedy: "set noiseShare to 0 to \(ProvingMaterial.largestNoiseShare), and leave out keys for which you have no path")
    }
}
