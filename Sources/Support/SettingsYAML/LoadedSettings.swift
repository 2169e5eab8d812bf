// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import SettingsFiles

/// Settings as they were read, with what is wrong with them.
public struct LoadedSettings<Group: SettingsGroup & Sendable>: Sendable {
    /// With the default where a value can't be used.
    public var settings: Group
    /// What they were read from.
    public var contents: SettingsSource.Contents
    /// Empty: they can be used.
    public var problems: [SettingsProblem]

    public init(from source: SettingsSource) {
        contents = source.read()
        let read = Group.read(from: contents.root)
        settings = read.settings
        problems = contents.problems + read.problems
    }

    /// - Throws: `configuration-missing`, `configuration-invalid`, or what else the settings refuse: the first of the problems.
    public static func required(from source: SettingsSource) throws(EpitopeError) -> LoadedSettings {
        let loaded = LoadedSettings(from: source)
        if let error = SettingsProblem.summary(of: loaded.problems) { throw error }
        return loaded
    }

    /// Every setting with its value, and where it is from. A value that can't be used is left out: it may be a secret in the wrong place.
    public var list: [ListedSetting] {
        let refused = Set(problems.compactMap(\.place))
        return settings.list(from: contents.root).map { setting in
            guard let place = setting.place, refused.contains(place) else { return setting }
            var setting = setting
            setting.value = nil
            return setting
        }
    }
}
