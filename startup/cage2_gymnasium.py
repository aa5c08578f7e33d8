"""Registers `Cage2-v0` as soon as gymnasium is imported, so that nothing else has to be.

Up to 0.29 gymnasium itself loaded what packages declare in the entry-point group `gymnasium.envs`; 1.0 stopped looking
there. This module stands in for it. `cage2_gymnasium.pth`, installed beside it, has Python import it at every start, so
it imports next to nothing, and waits.
"""

import sys


class RegisterAfterGymnasium:
    """A finder that lets others find `gymnasium.envs`, and registers the environment once that has been loaded."""

    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def] # typing is not worth its time here
        """Find nothing but `gymnasium.envs`."""
        if name != "gymnasium.envs":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec = find_spec(name)
        load = spec.loader.exec_module

        def load_and_register(module):  # type: ignore[no-untyped-def] # as above
            load(module)
            if sys.modules.get("pipeline.cage2.gym.registration"):
                return  # it is what imports gymnasium, and registers next
            try:
                from pipeline.cage2.gym.registration import register

                register()
            except Exception as error:  # noqa: BLE001 - whatever it is, gymnasium is to stay usable
                import warnings

                warnings.warn(f"Cage2-v0 could not be registered: {error!r}", stacklevel=2)

        spec.loader.exec_module = load_and_register
        return spec


sys.meta_path.insert(0, RegisterAfterGymnasium())
