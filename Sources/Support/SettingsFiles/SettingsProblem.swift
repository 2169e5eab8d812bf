// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What is wrong with a settings file, and where.
public struct SettingsProblem: Error, Hashable, Sendable {
    /// `nil`: no place in a file is at fault.
    public var place: SettingsPlace?
    /// Without the place.
    public var error: EpitopeError

    public init(_ error: EpitopeError, at place: SettingsPlace? = nil) {
        self.error = error
        self.place = place
    }

    /// With the place.
    public var located: EpitopeError {
        guard let place else { return error }
        return EpitopeError(error.code, "in \(place): \(error.message)", remedy: error.remedy)
    }

    /// One error for all that is wrong: the first, and how many more there are.
    public static func summary(of problems: [SettingsProblem]) -> EpitopeError? {
        guard let first = problems.first?.located else { return nil }
        guard problems.count > 1 else { return first }
        let more = problems.count == 2 ? "is another problem" : "are \(problems.count - 1) other problems"
        return EpitopeError(first.code, "\(first.message); there \(more), which `check` lists", remedy: first.remedy)
    }
}

/// A setting that is wrong by itself, or beside the others.
public struct SettingFault: Hashable, Sendable {
    /// Its name in its group, such as `socket`, or `captures.[0]` for an item of a list; `nil`: none alone.
    public var setting: String?
    public var error: EpitopeError

    public init(_ setting: String?, _ error: EpitopeError) {
        self.setting = setting
        self.error = error
    }

    /// The fault that a check throws; none where it doesn't.
    public static func of(_ setting: String?, _ check: () throws(EpitopeError) -> Void) -> [SettingFault] {
        do throws(EpitopeError) {
            try check()
            return []
        } catch {
            return [SettingFault(setting, error)]
        }
    }
}
