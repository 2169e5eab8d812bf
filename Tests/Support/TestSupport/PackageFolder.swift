// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The folder that holds Package.swift, found by walking up from this file, so that tests find what lies in the package
/// wherever their own file lies.
public enum PackageFolder {
    /// Absolute, without a slash at its end.
    public static let path: String = {
        var folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        while folder.path != "/", !FileManager.default.fileExists(atPath: folder.appending(path: "Package.swift").path) {
            folder.deleteLastPathComponent()
        }
        return folder.path
    }()
}
